"""Strict reading of a compact JWS."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.identity.compact import Malformed, pack, parse_header, parse_object, split, unpack

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "segment", [b"QQ==", b"QR", b"Q Q", b"QQ\n", b"Q", b"+_8A", b"a/8A", b"QUI=", b"Q.Q", "é".encode(), b"QQ==QQ"]
)
def test_unpack_when_not_canonical_then_refused(segment: bytes) -> None:
    """Padding, stray bits, blanks and the standard alphabet are refused."""
    with pytest.raises(Malformed):
        unpack(segment)


@given(st.binary(max_size=200))
def test_unpack_when_packed_then_the_same(data: bytes) -> None:
    """Packing agrees with the standard library and unpacks to what it was."""
    assert pack(data) == base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    assert unpack(pack(data).encode()) == data


@given(st.binary(max_size=12))
def test_unpack_when_any_bytes_then_one_spelling(segment: bytes) -> None:
    """Whatever unpacks packs back to the very same text."""
    try:
        data = unpack(segment)
    except Malformed:
        return
    assert pack(data).encode() == segment


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"a"',
        b"{",
        b'{"a":1}x',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":"\xff"}',
        '{"a":1}'.encode("utf-16"),
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}",
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_parse_object_when_not_one_plain_object_then_refused(data: bytes) -> None:
    """Duplicates at any depth, other encodings, other values and absurd sizes are refused."""
    with pytest.raises(Malformed):
        parse_object(data)


def test_parse_object_when_good_then_read() -> None:
    """An object is read as it is."""
    assert parse_object(b' {"a": [1, {"b": "\\u00e9"}]} ') == {"a": [1, {"b": "é"}]}


@pytest.mark.parametrize("header", [{"alg": "ES256", "crit": []}, {"alg": "ES256", "crit": ["b64"], "b64": False}, {"b64": True}])
def test_parse_header_when_critical_then_refused(header: dict[str, object]) -> None:
    """A header that asks to be understood is refused: nothing is."""
    with pytest.raises(Malformed):
        parse_header(pack(json.dumps(header).encode()).encode())


@given(st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_.=-]{0,40}", fullmatch=True))
def test_split_when_any_text_then_parts_or_our_own_error(text: str) -> None:
    """No text makes the splitter raise another error than its own, and what it read is what was written."""
    try:
        parts = split(text, 50)
    except Malformed:
        return
    assert parts.message + b"." + pack(parts.signature).encode() == text.encode()
    assert parts.header + b"." + pack(parts.claims).encode() == parts.message
