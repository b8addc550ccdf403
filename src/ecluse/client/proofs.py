"""Receipts as files, ``<disclosure>.tlog-proof``: written, and read strictly. Reading one believes nothing of it; ``check`` does.

Standard: C2SP tlog-proof, with ``extra`` as docs/decisions/0005-witnessed-ledger.md has it. Vectors:
``tests/vectors/integrators/receipt-files.json``. Pure, and written apart from the server.

    c2sp.org/tlog-proof@v1
    extra <base64 of RFC 8785: {"opening":{…},"v":1,"value_salts":{attribute: hex},"values":{attribute: value}}>
    index 6
    <base64 of a 32-byte hash>                                   the inclusion proof, leaf side first
    …

    <the signed checkpoint, verbatim, to the end>

``value_salts`` stand where the holder can prove values, ``values`` where the holder shows them: they are personal data. Every file
has one spelling: what is accepted is written back byte for byte.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

import rfc8785

from ecluse.client.errors import ReceiptBroken
from ecluse.client.model import Disclosed, Json, PersonalValues, Proven
from ecluse.client.notes import HASH_BYTES, MOST_NOTE_BYTES, parse_base64, parse_decimal
from ecluse.client.receipts import parse_hash
from ecluse.client.tree import MOST_STEPS

SUFFIX: Final = ".tlog-proof"
FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
MOST_EXTRA_BYTES: Final = 1_000_000
MOST_FILE_BYTES: Final = MOST_NOTE_BYTES + MOST_EXTRA_BYTES * 4 // 3 + 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiptFile:
    """A receipt's file as read. ``value_salts``, ``values``: None where the file has none; ``note``: the checkpoint."""

    index: int
    path: tuple[bytes, ...] = field(repr=False)
    note: str = field(repr=False)
    opening: dict[str, Json] = field(repr=False)
    value_salts: dict[str, bytes] | None = field(repr=False, default=None)
    values: PersonalValues | None = None


def receipt_file(disclosed: Disclosed, proven: Proven, *, with_values: bool = False) -> bytes:
    """Write the file of a disclosure that the log has proven; ``with_values`` writes the person's values into it, in clear."""
    if (disclosed.receipt.index, disclosed.receipt.leaf_hash) != (proven.index, proven.leaf_hash):
        raise AssertionError("impossible: a proof of another entry")
    return write_file(
        ReceiptFile(
            index=proven.index,
            path=proven.path,
            note=proven.head.note,
            opening=disclosed.receipt.opening,
            value_salts=disclosed.receipt.value_salts,
            values=disclosed.subject if with_values else None,
        )
    )


def write_file(held: ReceiptFile) -> bytes:
    """Write a receipt's file."""
    members: dict[str, Json] = {"opening": held.opening, "v": 1}
    if held.value_salts is not None:
        members["value_salts"] = {name: salt.hex() for name, salt in held.value_salts.items()}
    if held.values is not None:
        members["values"] = dict(held.values)
    extra = b64encode(_canonical(members)).decode("ascii")
    lines = [FIRST_LINE, f"extra {extra}", f"index {held.index}", *(b64encode(step).decode("ascii") for step in held.path)]
    return ("\n".join(lines) + "\n\n" + held.note).encode()


@dataclass(frozen=True, kw_only=True, slots=True)
class TlogProof:
    """What any .tlog-proof file holds; ``extra``: None where there is no such line."""

    extra: bytes | None
    index: int
    path: tuple[bytes, ...]
    note: str


def split_proof(raw: bytes) -> TlogProof:
    """Read the lines of a .tlog-proof file, its checkpoint unopened. Raises ``ReceiptBroken``, which says where it is wrong."""
    if len(raw) > MOST_FILE_BYTES:
        raise ReceiptBroken("the file is larger than a receipt")
    try:
        head, gap, note = raw.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError:
        raise ReceiptBroken("the file is not UTF-8") from None
    first, *rest = head.split("\n")
    if first != FIRST_LINE or not gap or not note:
        raise ReceiptBroken("it is not a .tlog-proof file")
    extra = None
    if rest and rest[0].startswith("extra "):
        extra = parse_base64(rest.pop(0).removeprefix("extra "))
        if not extra:
            raise ReceiptBroken("the line of extra is empty, or not canonical base64")
    index = parse_decimal(rest[0].removeprefix("index ")) if rest and rest[0].startswith("index ") else None
    if index is None:
        raise ReceiptBroken("the line of the index is missing, or no canonical number")
    path = [parse_base64(line) for line in rest[1:]]
    if len(path) > MOST_STEPS or any(step is None or len(step) != HASH_BYTES for step in path):
        raise ReceiptBroken("the inclusion proof is not up to 63 hashes, one a line")
    return TlogProof(extra=extra, index=index, path=tuple(step for step in path if step), note=note)


def read_file(raw: bytes) -> ReceiptFile:
    """Read a receipt's file: its lines, and ``extra``, where the members named above stand and no other. Raises ``ReceiptBroken``."""
    proof = split_proof(raw)
    if proof.extra is None:
        raise ReceiptBroken("it has no extra: it is no receipt of Écluse")
    members = _members(proof.extra)
    opening, salts, values = members["opening"], members.get("value_salts"), members.get("values")
    if type(members["v"]) is not int or members["v"] != 1:
        raise ReceiptBroken("extra is of another version")
    if (
        not isinstance(opening, dict)
        or not isinstance(salts, dict | None)
        or not isinstance(values, dict | None)
        or None in members.values()
    ):
        raise ReceiptBroken("a member of extra has another type")
    return ReceiptFile(
        index=proof.index,
        path=proof.path,
        note=proof.note,
        opening=opening,
        value_salts=None if salts is None else {name: parse_hash(salt) for name, salt in salts.items()},
        values=None if values is None else PersonalValues(values),
    )


def _members(extra: bytes) -> dict[str, Json]:
    """Read ``extra``: JSON in its one spelling, with the members that it may have."""
    if len(extra) > MOST_EXTRA_BYTES:
        raise ReceiptBroken("extra is larger than a receipt's")
    try:
        members = json.loads(extra.decode(), object_pairs_hook=_distinct, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ReceiptBroken("extra is not JSON") from None
    if not isinstance(members, dict) or not {"opening", "v"} <= members.keys() <= {"opening", "v", "value_salts", "values"}:
        raise ReceiptBroken("extra has a member too few or too many")
    if _canonical(members) != extra:
        raise ReceiptBroken("extra is not in its one spelling (RFC 8785)")
    return members


def _canonical(value: Mapping[str, Json]) -> bytes:
    try:
        return rfc8785.dumps(dict(value))
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeError):
        raise ReceiptBroken("extra can't be written canonically") from None


def _distinct(pairs: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
