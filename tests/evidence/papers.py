"""Documents that tests hand in: each made by the real tool of its kind, and what stands in an agency's contract about them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from typing import Any, Final

import openpyxl
import pikepdf
import typst

from ecluse.evidence import Submission
from ecluse.evidence.vault import Vault
from tests.invented import contract_text

LIST: Final = (
    "name;address;contact;country;role\n"
    "Hébergeur Rhône;1 quai du Port, Lyon;rssi@hebergeur.example;FR;hosting\n"
    "Nordic Backup Oy;Katu 2, Turku;+358 00 000;FI;backup\n"
)
PNG: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf000000030001"
    "5b2f1b5c0000000049454e44ae426082"
)
SECRET: Final = Vault({1: b"\x01" * 32})


@cache
def pdf(text: str = "Rapport d'essai d'intrusion") -> bytes:
    """Typeset a PDF."""
    made: bytes = typst.compile(text.encode())
    return made


def pdf_with(change: Callable[[pikepdf.Pdf], None], **saved: Any) -> bytes:
    """Return a PDF that was changed."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf())) as book:
        change(book)
        book.save(out, **saved)
    return out.getvalue()


def workbook(*rows: tuple[object, ...]) -> bytes:
    """Write a workbook of one sheet."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def said(processor: str, /, **changes: Any) -> Submission:
    """Say something sound of a document."""
    facts: Mapping[str, Any] = {
        "processor": processor, "kind": "pentest", "title": "Essai d'intrusion 2026", "issuer": "Cabinet Exemple", "reviewed_on": date(2026, 1, 5),
        **changes,
    }  # fmt: skip
    return Submission(**facts)


def contract_with(processor: str, *kinds: str, max_age: str = "P99Y", **terms: Any) -> str:
    """Write a contract that asks for these kinds of evidence."""
    asked = "".join(f'[[evidence_required]]\nkind = "{kind}"\nmax_age = "{max_age}"\n' for kind in kinds)
    return contract_text(processor, **terms) + asked
