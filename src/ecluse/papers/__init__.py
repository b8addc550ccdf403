"""What is printed or exported from live configuration: Art. 28 annexes, Art. 30 records, dossiers. It reads, and never changes anything.

Every paper is made from `Facts` (``model.py``), assembled at one instant by ``facts.py``; nothing a paper says is kept anywhere else. A paper is evidence for
an article; it does not claim conformity, and it never claims that a notice was filed.
"""
