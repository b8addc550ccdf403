"""A witness of logs: it cosigns a log's newest head if, and only if, that head extends what the witness cosigned before (C2SP tlog-witness 1.0).

It runs on somebody else's machine: a processor's, the data-protection officer's, an authority's. So it is a folder of its own (a key, a small SQLite
store) and a small server, and knows no PostgreSQL, contract or person: of this house it takes the pure parts of the ledger, and of a log nothing but
heads and proofs, which are public.

``check`` is pure; ``service`` and ``serve`` are the doors.
"""
