"""Checking a receipt without asking anyone: opening -> digests -> ``c`` -> leaf -> leaf hash, and each value against its digest.

Standard: docs/decisions/0001-formats.md, leaf version 1, and 0005-witnessed-ledger.md; RFC 8785 for values, RFC 6962 §2.1 for the node rule. Written apart from
the server on purpose: a processor, or a judge, checks what the server says with code that shares none of its own. Pure.

    digest  = SHA-256("ecluse/1/" || name || 0x00 || salt[32] || JCS(value))        node = SHA-256(0x01 || left || right)
    leaf    = {"c":"<64 hex>","h":"2026-01-05T09Z","k":"decision","v":1}             hash = SHA-256(0x00 || leaf)
    value   = SHA-256("ecluse/1/value/" || attribute || 0x00 || salt[32] || JCS(value))
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import rfc8785

from ecluse.client.errors import ReceiptBroken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecluse.client.model import Disclosed, Json

GRANTS: Final = frozenset({"disclosure:person:granted", "disclosure:sheet:granted"})
REFUSALS: Final = frozenset({"disclosure:person:refused", "disclosure:person:undetermined", "disclosure:sheet:refused"})
_WHO: Final = ("at", "event", "disclosure", "processor", "client", "agent", "assurance", "appointment", "subject", "purpose")
_OF_GRANTS: Final = (*_WHO, "legal_basis", "contract", "forms", "values", "fingerprints", "rules", "interval")
_OF_REFUSALS: Final = (*_WHO, "contract", "attributes", "reason", "reasons")
_OF_EMERGENCIES: Final = (
    "at", "event", "disclosure", "subject", "attributes", "forms", "values", "fingerprints", "actor", "object", "detail",
)  # fmt: skip
LOOK: Final = "usage:person:shown"
EMERGENCY: Final = "disclosure:emergency:granted"
CONSULTED: Final = "usage:person:consulted"
LAYOUTS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(GRANTS, _OF_GRANTS),
    **dict.fromkeys(REFUSALS, _OF_REFUSALS),
    LOOK: ("at", "event", "client", "subject", "detail", "count"),
    EMERGENCY: _OF_EMERGENCIES,
    CONSULTED: ("at", "event", "subject", "actor", "object", "detail"),
}
"""The fields of an entry by its event, in their order; a later version may add some at the end."""
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_HOUR: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\dZ", re.ASCII)
_NAME: Final = re.compile(r"[a-z][a-z_]*")
_MAX_FIELDS: Final = 256


def check_receipt(disclosed: Disclosed) -> None:
    """Check that the receipt is of this very disclosure; raise ``ReceiptBroken`` if any byte of it says otherwise.

    1 the opening leads to the leaf hash; 2 it speaks of this disclosure, appointment and agent; 3 of these attributes in
    these forms; 4 of these values. It does not show that the entry is in the log: the log's proof does.
    """
    receipt = disclosed.receipt
    leaf_hash, shown = open_entry(receipt.opening)
    if leaf_hash != receipt.leaf_hash:  # 1
        raise ReceiptBroken("the opening does not lead to the leaf hash")
    if shown["event"] not in GRANTS:  # 2
        raise ReceiptBroken("the entry is not a grant")
    for name in ("disclosure", "appointment", "agent"):
        if shown.get(name) != getattr(disclosed, name):
            raise ReceiptBroken(f"the entry is of another {name}")
    if shown.get("forms") != disclosed.forms:  # 3
        raise ReceiptBroken("the entry names other attributes or forms")
    check_values(shown.get("values"), receipt.value_salts, disclosed.subject)  # 4


def check_values(digests: Json, salts: Mapping[str, bytes], values: Mapping[str, Json]) -> None:
    """Check that an entry's ``values`` are the digests of exactly these values; raise ``ReceiptBroken``."""
    if not isinstance(digests, dict) or not set(digests) == set(values) == set(salts):
        raise ReceiptBroken("the entry is of other values")
    for name, value in values.items():
        if digests[name] != value_digest(name, salts[name], value).hex():
            raise ReceiptBroken("a value is not the one the entry commits to")


def open_entry(opening: Mapping[str, Json]) -> tuple[bytes, dict[str, Json]]:
    """Return an opening's leaf hash, and the fields that it shows: 1 its form; 2 the leaf; 3 the hour; 4 each field in its place.

    Raises ``ReceiptBroken``. Without 4 an entry could hold two fields of one name, and show each holder another.
    """
    hour, fields = opening.get("h"), opening.get("fields")  # 1
    if (
        set(opening) != {"v", "k", "h", "fields"}
        or type(opening["v"]) is not int
        or (opening["v"], opening["k"]) != (1, "decision")
    ):
        raise ReceiptBroken("the opening is not of a decision, version 1")
    if not isinstance(hour, str) or _HOUR.fullmatch(hour) is None or not isinstance(fields, list):
        raise ReceiptBroken("the opening is not of a decision, version 1")
    if not 0 < len(fields) <= _MAX_FIELDS:
        raise ReceiptBroken("the opening has no fields or too many")
    shown: dict[str, Json] = {}
    places: dict[str, int] = {}
    digests = []
    for place, entry in enumerate(fields):
        digests.append(_digest_of(entry, shown))
        places |= dict.fromkeys(shown.keys() - places.keys(), place)
    leaf = f'{{"c":"{root_of(digests).hex()}","h":"{hour}","k":"decision","v":1}}'.encode("ascii")  # 2
    at = shown.get("at")
    if not isinstance(at, str) or at[:13] + "Z" != hour:  # 3
        raise ReceiptBroken("the entry's hour is not that of its instant")
    event = shown.get("event")
    layout = LAYOUTS.get(event) if isinstance(event, str) else None  # 4
    if layout is None:
        raise ReceiptBroken("the entry does not say that it is about a person's data")
    for name, place in places.items():
        if (layout.index(name) if name in layout else max(place, len(layout))) != place:
            raise ReceiptBroken("a field does not stand in its place")
    return sha256(b"\0" + leaf).digest(), shown


def field_digest(name: str, salt: bytes, value: Json) -> bytes:
    """Return the 32-byte digest of one field."""
    return sha256(b"ecluse/1/" + name.encode() + b"\0" + salt + _canonical(value)).digest()


def value_digest(attribute: str, salt: bytes, value: Json) -> bytes:
    """Return the 32-byte digest of one delivered value."""
    return sha256(b"ecluse/1/value/" + attribute.encode() + b"\0" + salt + _canonical(value)).digest()


def root_of(digests: Sequence[bytes]) -> bytes:
    """Return the root over digests: split at the largest power of two below their number."""
    if len(digests) == 1:
        return digests[0]
    middle = 1 << (len(digests) - 1).bit_length() - 1
    return sha256(b"\x01" + root_of(digests[:middle]) + root_of(digests[middle:])).digest()


def parse_hash(value: object) -> bytes:
    """Read a SHA-256 hash in lower-case hex; raise ``ReceiptBroken`` for another spelling."""
    if not isinstance(value, str) or _HASH.fullmatch(value) is None:
        raise ReceiptBroken("a hash or salt is not 64 lower-case hex digits")
    return bytes.fromhex(value)


def _digest_of(entry: Json, shown: dict[str, Json]) -> bytes:
    """Return a field's digest, hidden or shown; add a shown one to ``shown``, where no name may come twice."""
    if isinstance(entry, str):
        return parse_hash(entry)
    if not isinstance(entry, list) or len(entry) != 3:
        raise ReceiptBroken("a field is neither hidden nor shown")
    name, salt, value = entry
    if not isinstance(name, str) or _NAME.fullmatch(name) is None or name in shown:
        raise ReceiptBroken("a field has no name, or that of another")
    shown[name] = value
    return field_digest(name, parse_hash(salt), value)


def _canonical(value: Json) -> bytes:
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError):
        raise ReceiptBroken("a value can't be written canonically") from None
