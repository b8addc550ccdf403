"""The request's parser: what is not spelled as the protocol has it is refused. Published requests: ``tests/fuzz/test_witnessed.py``."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.ledger.model import MAX_SIZE
from ecluse.ledger.notes import parse_note
from ecluse.witness.errors import RequestInvalid
from ecluse.witness.parse import MAX_PROOF, MAX_REQUEST_BYTES, parse_request
from tests.witness.logs import PublicLog, leaves, request

pytestmark = pytest.mark.unit

LOG = PublicLog(leaves(9))
NOTE = LOG.note(9)
HASH = bytes(32)
GOOD = request(4, LOG.proof(4, 9), NOTE)


def written(raw: bytes) -> bytes:
    """Read a request and write it again."""
    read = parse_request(raw)
    return request(read.old_size, list(read.proof), read.note)


@pytest.mark.parametrize(
    "old", ["", "00", "01", "+1", "-1", "1_0", " 1", "1 ", "1\r", "\u0661", "\uff11", "1.0", "0x1", str(MAX_SIZE + 1), "9" * 5000]
)
def test_old_size_when_spelled_otherwise_then_refused(old):
    """Only the canonical decimal below 2^63 is a size."""
    with pytest.raises(RequestInvalid):
        parse_request(request(old, [], NOTE))


@pytest.mark.parametrize(
    "line",
    ["", "A", "AA", b64encode(HASH).decode() + "=", b64encode(HASH).decode()[:-1], b64encode(HASH).decode()[:-2] + "B=", b64encode(HASH[1:]).decode(),
     b64encode(HASH + b"1").decode(), " " + b64encode(HASH).decode(), b64encode(HASH).decode() + "\r", b64encode(b"\xff" * 32).decode().replace("/", "_")],
    ids=["empty", "one", "short", "padded twice", "no padding", "stray bits", "31 bytes", "33 bytes", "blank", "carriage return", "url alphabet"],
)  # fmt: skip
def test_proof_line_when_it_is_no_hash_then_refused(line):
    """A line of the proof is the canonical base64 of 32 bytes."""
    with pytest.raises(RequestInvalid):
        parse_request(request(4, [HASH, line, HASH], NOTE))


def test_proof_when_it_has_64_lines_then_refused():
    """63 hashes are the most."""
    assert len(parse_request(request(4, [HASH] * MAX_PROOF, NOTE)).proof) == 63
    with pytest.raises(RequestInvalid, match="63"):
        parse_request(request(4, [HASH] * (MAX_PROOF + 1), NOTE))


@pytest.mark.parametrize(
    "raw",
    [b"", b"\n", b"\n\n", b"old 4", b"old 4\n", b"old 4\n\n", b"old 4\r\n\r\n" + NOTE.encode(), b"\xef\xbb\xbf" + GOOD, b"OLD 4\n\n" + NOTE.encode(),
     b"old\t4\n\n" + NOTE.encode(), b"old 4\n" + NOTE.encode(), b"\n" + GOOD, GOOD[:-1], GOOD + b"\n", GOOD.replace(b"\xe2\x80\x94", b"-"), GOOD + b"\xff",
     GOOD.replace(b"\n9\n", b"\n09\n"), GOOD.replace(b"\n9\n", b"\n9\n\n"), GOOD.replace(b"old 4\n", b"old 4\x00\n"), b"old 4\n\n" + b"x\n" * 40_000],
)  # fmt: skip
def test_request_when_its_form_is_wrong_then_refused(raw):
    """No line is missing, added, or of another form."""
    with pytest.raises(RequestInvalid):
        parse_request(raw)


def test_request_when_it_is_too_large_then_refused():
    """There is a most, and it has room for twenty post-quantum signatures and a full proof."""
    line = "\u2014 " + "w" * 40 + " " + b64encode(bytes(4 + 8 + 2420)).decode() + "\n"
    assert len(parse_request(request(4, [HASH] * 63, NOTE + line * 18)).proof) == 63
    with pytest.raises(RequestInvalid, match="bytes"):
        parse_request(GOOD + b"x" * MAX_REQUEST_BYTES)


def test_request_when_the_root_of_size_0_is_wrong_then_read():
    """That is for a later check, with an answer of its own."""
    wrong = NOTE.replace("\n9\n", "\n0\n")
    assert parse_request(request(0, [], wrong)).checkpoint.size == 0


@given(
    old=st.integers(0, MAX_SIZE),
    proof=st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    size=st.integers(1, 9),
    extensions=st.lists(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20), max_size=3),
)
def test_request_when_well_formed_then_read_back_as_it_stands(old, proof, size, extensions):
    """Every request has one spelling, and it is read as it was meant."""
    note = LOG.note(size, *extensions)
    read = parse_request(request(old, proof, note))
    assert (read.old_size, list(read.proof), read.note) == (old, proof, note)
    assert read.checkpoint == LOG.head(size, *extensions)
    assert read.text == parse_note(note)[0]


@given(st.binary(max_size=300))
def test_request_when_it_is_noise_then_refused(raw):
    """Noise is refused by the parser's own error."""
    with pytest.raises(RequestInvalid):
        parse_request(raw)


@given(
    at=st.integers(0, len(GOOD)),
    gone=st.integers(0, 40),
    put=st.binary(max_size=8) | st.sampled_from([b"\n", b"\n\n", b"=", b"0", b"old ", b"\r"]),
)
def test_request_when_damaged_then_refused_or_its_one_spelling(at, gone, put):
    """Damage anywhere is refused, or gives a request that has this very spelling."""
    raw = GOOD[:at] + put + GOOD[at + gone :]
    with suppress(RequestInvalid):
        assert written(raw) == raw
