"""A processor's side of the gate: one person's contracted fields when that person is due, and the proof that it was so.

It needs no server, no database and no msgspec: httpx, cryptography, joserfc and rfc8785 only. It keeps nothing on disk.

    with Client("https://gate.example", "cli_…", "client.pem", log_vkey="…") as gate:
        person = gate.disclose("apt_…", "agt_…", ["family_name", "birth_date"])
        person.subject["family_name"]
"""

from __future__ import annotations

from ecluse.client.errors import AnswerInvalid, ClientError, NotAuthorised, ReceiptBroken, Refused, Unavailable
from ecluse.client.fronts import AsyncClient, Client
from ecluse.client.model import Checkpoint, Disclosed, PersonalValues, Place, Proven, Receipt, Session
from ecluse.client.receipts import check_receipt

__all__ = [
    "AnswerInvalid",
    "AsyncClient",
    "Checkpoint",
    "Client",
    "ClientError",
    "Disclosed",
    "NotAuthorised",
    "PersonalValues",
    "Place",
    "Proven",
    "Receipt",
    "ReceiptBroken",
    "Refused",
    "Session",
    "Unavailable",
    "check_receipt",
]
