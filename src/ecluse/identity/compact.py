"""Reading a compact JWS strictly (RFC 7515 §7.1), once, for proofs, tokens and assertions.

``header.claims.signature``, each part base64url. Two spellings of one thing would be two cache keys and two ledger facts, so only
the canonical one is read: no padding, no white space, no stray bits. JSON is one object in UTF-8 without duplicate names (RFC
7515 §4) or ``NaN``. Nothing here verifies anything: ``keys.verifier`` does.
"""

from __future__ import annotations

import binascii
import json
from typing import Final, NamedTuple, NoReturn

_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")


class Malformed(ValueError):
    """The text is not what it should be; ``why`` is constant. Each caller turns it into its own error."""

    def __init__(self, why: str) -> None:
        """Say ``why``, in constant words."""
        super().__init__(why)
        self.why = why


class Compact(NamedTuple):
    """The parts of a compact JWS: the header still encoded, the rest decoded; ``message`` is what was signed."""

    header: bytes
    claims: bytes
    message: bytes
    signature: bytes


def split(text: str, limit_bytes: int) -> Compact:
    """Split a compact JWS of at most ``limit_bytes``; raise ``Malformed`` for any other spelling than the canonical one."""
    if len(text) > limit_bytes:
        raise Malformed("longer than allowed")
    try:
        data = text.encode("ascii")
    except UnicodeEncodeError:
        raise Malformed("not ASCII") from None
    message, _, signature = data.rpartition(b".")
    header, _, claims = message.partition(b".")
    if not (header and claims and signature):
        raise Malformed("not three parts")
    return Compact(header, unpack(claims), message, unpack(signature))


def unpack(segment: bytes) -> bytes:
    """Decode canonical base64url; what does not encode back to itself (padding, blanks, stray bits) is ``Malformed``."""
    try:
        data = binascii.a2b_base64(segment.translate(_TO_STANDARD) + b"=" * (-len(segment) % 4))
    except binascii.Error:
        raise Malformed("not base64url") from None
    if binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=") != segment:
        raise Malformed("not canonical base64url")
    return data


def pack(data: bytes) -> str:
    """Encode to canonical base64url, the counterpart of ``unpack``."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def parse_object(data: bytes) -> dict[str, object]:
    """Parse one JSON object; raise ``Malformed`` for anything else, duplicate names (at any depth) included."""
    try:
        value = _STRICT.decode(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Malformed("not a JSON object with distinct names") from None
    if not isinstance(value, dict):
        raise Malformed("not a JSON object with distinct names")
    return value


def parse_header(segment: bytes) -> dict[str, object]:
    """Decode a header; one that names extensions we must understand (``crit``, and ``b64`` which needs it) is ``Malformed``."""
    header = parse_object(unpack(segment))
    if "crit" in header or "b64" in header:
        raise Malformed("critical header extensions are not accepted")
    return header


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate name")
    return members


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("not a JSON number")


_STRICT: Final = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_no_constant)
