"""A processor's side of the gate: one person's contracted fields when that person is due, and the proof that it was so.

It needs no server, no database and no msgspec: httpx, cryptography, joserfc and rfc8785 only. It keeps nothing on disk but, where it is
given a folder, the newest head of the log that it saw. What it checks it checks with code that shares none of the server's.

    with Client("https://gate.example", "cli_…", "client.pem", policy=parse_policy(Path("policy").read_bytes())) as gate:
        person = gate.disclose("apt_…", "agt_…", ["family_name", "birth_date"])
        person.subject["family_name"]
        Path(f"{person.disclosure}.tlog-proof").write_bytes(receipt_file(person, gate.proof(person)))
"""

from __future__ import annotations

from ecluse.client.check import Kind, Statement, check_file
from ecluse.client.errors import (
    AnswerInvalid,
    ClientError,
    LogForked,
    NotAuthorised,
    ReceiptBroken,
    Refused,
    Unavailable,
    Unproven,
)
from ecluse.client.fronts import AsyncClient, Client
from ecluse.client.model import Checkpoint, Disclosed, Head, Pending, PersonalValues, Place, Proven, Receipt, Session
from ecluse.client.proofs import receipt_file
from ecluse.client.proving import Proofs
from ecluse.client.receipts import check_receipt
from ecluse.client.trust import Policy, parse_policy, policy_of_vkey

__all__ = [
    "AnswerInvalid",
    "AsyncClient",
    "Checkpoint",
    "Client",
    "ClientError",
    "Disclosed",
    "Head",
    "Kind",
    "LogForked",
    "NotAuthorised",
    "Pending",
    "PersonalValues",
    "Place",
    "Policy",
    "Proofs",
    "Proven",
    "Receipt",
    "ReceiptBroken",
    "Refused",
    "Session",
    "Statement",
    "Unavailable",
    "Unproven",
    "check_file",
    "check_receipt",
    "parse_policy",
    "policy_of_vkey",
    "receipt_file",
]
