"""A record as files to keep: everything in JSON, a table in CSV. Pure.

A cell that a spreadsheet could take for a formula (it begins with ``= + - @``, a tab or a line end) gets an apostrophe in front: what was typed into a
contract's label by somebody else is never run on the reader's computer.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from ecluse.usage.model import Line
from ecluse.web.my_data.words import say_given
from ecluse.web.pages.language import N_, Tongue

_RISKY: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
HEADS: Final = (
    N_("Date and time (UTC)"),
    N_("Organisation"),
    N_("Business number"),
    N_("What happened"),
    N_("What for"),
    N_("Data shown"),
    N_("Data not shown"),
    N_("Legal basis"),
    N_("Contract"),
    N_("How sure"),
    N_("Held back until"),
    N_("Reason for holding back"),
    N_("Place in the ledger"),
)


class File(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one record, newest first. ``next``: where the next file begins, null: this is all; ``notes``: what a record can't say by itself."""

    controller: str
    register: str
    log: str
    until: datetime
    usages: Sequence[Line]
    next: str | None
    notes: Sequence[str]


def write_json(file: File) -> bytes:
    """Write a file for machines, and for people who look closely."""
    return msgspec.json.format(msgspec.json.encode(file), indent=2)


def write_csv(lines: Sequence[Line], places: Sequence[str], tongue: Tongue) -> bytes:
    """Write a table (RFC 4180, UTF-8 with its mark, which spreadsheets want); fields are parted as the language's spreadsheets expect."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";" if tongue.language == "fr" else ",", lineterminator="\r\n")
    writer.writerow([tongue.say(head) for head in HEADS])
    for line, place in zip(lines, places, strict=True):
        given, withheld = say_given(line.attributes, tongue)
        cells = (
            f"{line.logtime:%Y-%m-%dT%H:%M:%SZ}",
            line.receiver_name,
            line.receiver_code,
            line.action,
            line.purpose_text or "",
            " | ".join(given),
            " | ".join(withheld),
            line.legal_basis_text or "",
            line.contract_reference or "",
            line.assurance_text or "",
            f"{line.hidden_until:%Y-%m-%dT%H:%M:%SZ}" if line.hidden_until else "",
            line.hidden_reason or "",
            place,
        )
        writer.writerow([harmless(cell) for cell in cells])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet runs."""
    return "'" + cell if cell.startswith(_RISKY) else cell
