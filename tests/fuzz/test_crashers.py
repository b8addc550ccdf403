"""Named inputs: those that once crashed a parser or passed in a second spelling, the spellings that other readers let through, and two readers of one format.

Each crasher says what it is; it is refused by the parser's own error now.
"""

from __future__ import annotations

import json
from datetime import datetime
from itertools import islice
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ecluse.client import notes as client_notes
from ecluse.client.credential import Credential
from ecluse.client.errors import ReceiptBroken
from ecluse.errors import ConfigurationError
from ecluse.identity.compact import pack, unpack
from ecluse.ledger.errors import NoteInvalid
from ecluse.ledger.notes import open_checkpoint, sign
from ecluse.schedule.model import Kind
from tests.fuzz.files import BODY, ROWS, cells_of, read_schedule, write_csv, write_json
from tests.fuzz.mutants import mutants
from tests.fuzz.parser import Parser, fixed_key, pem
from tests.fuzz.parsers import PARSERS
from tests.fuzz.signed import (
    ASSERTION,
    KEY,
    LOG_KEY,
    NOTE,
    OPENING,
    ORIGIN,
    PROOF,
    TOKEN,
    VERIFIER,
    VKEY,
    check_client,
    check_proof,
    check_token,
)
from tests.fuzz.test_parsers import judge

pytestmark = pytest.mark.unit

_ROOT: Final = "cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI="
_LOCKED: Final = Ed25519PrivateKey.from_private_bytes(b"k" * 32).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"word")
)
_ODD: Final = pem(Ed25519PrivateKey.from_private_bytes(b"k" * 32)).replace(b"MC4CAQAwBQYDK2Vw", b"MC4CAQAwBQYDK2V6")
"""A PKCS#8 key of a kind that the library does not know."""
_DEEP: Final = b"[" * 1500 + b"]" * 1500

CRASHERS: Final[dict[str, tuple[str, bytes]]] = {
    "a member's name that is not UTF-8": ("disclosure body", json.dumps({**BODY, "x": 1}).encode().replace(b'"x"', b'"\x83"')),
    "a name that is not UTF-8, first": ("disclosure body", b'{"\xff": 1}'),
    "settings that are not UTF-8": ("ecluse.toml", b"port = 8080 # \xff"),
    "a table that is a number": ("ecluse.toml", b"database = 1"),
    "a table that is a list of tables": ("ecluse.toml", b'[[database]]\nurl = ""'),
    "a time zone that is a folder of zones": ("ecluse.toml", b'[controller]\ntimezone = "Europe"'),
    "a time zone outside of the folder": ("ecluse.toml", b'[controller]\ntimezone = "../../etc/passwd"'),
    "a time zone with a zero byte": ("ecluse.toml", b'[controller]\ntimezone = "Europe\\u0000"'),
    "an address with half a bracket": ("ecluse.toml", b'public_url = "http://["'),
    "settings nested too deeply": ("ecluse.toml", b"a = " + _DEEP),
    "a number of thousands of digits": ("ecluse.toml", b"port = " + b"1" * 5000),
    "a private key of an unknown kind": ("private key", _ODD),
    "a log key of an unknown kind": ("log key", _ODD),
    "a token key of an unknown kind": ("token.key", _ODD),
    "a private key under a password": ("private key", _LOCKED),
    "a log key under a password": ("log key", _LOCKED),
    "an opening nested too deeply": ("opening row", b'[["at","2026-01-05T09:30:00.000000Z"],["event",' + _DEEP + b"]]"),
    "a blank in a secret": ("fingerprint.key", b"1: " + b"0a" * 32),
    "a version with a zero before it": ("fingerprint.key", b"01:" + b"0a" * 32),
    "a version with an underscore": ("fingerprint.key", b"1_0:" + b"0a" * 32),
    "a version in another script's digits": ("fingerprint.key", "\u0661:".encode() + b"0a" * 32),
    "a secret in capitals": ("fingerprint.key", b"1:" + b"0A" * 32),
    "a version of a format that is no integer": ("opening of a receipt", json.dumps(OPENING).replace('"v": 1', '"v": 1.0').encode()),
    "a signature line without a name": ("signed checkpoint, client", f"{NOTE}\u2014  AAAAAAA=\n".encode()),
    "a key name with a plus": ("signed checkpoint, client", f"{NOTE}\u2014 a+b AAAAAAA=\n".encode()),
    "a tab in a key name": ("signed checkpoint, client", f"{NOTE}\u2014 a\tb AAAAAAA=\n".encode()),
    "a blank line that was signed": ("signed checkpoint, client", sign(f"{ORIGIN}\n5\n{_ROOT}\n\nx\n", ORIGIN, LOG_KEY).encode()),
    "a size beyond the largest": ("signed checkpoint, client", sign(f"{ORIGIN}\n{2**63}\n{_ROOT}\n", ORIGIN, LOG_KEY).encode()),
    "an empty log with a root": ("signed checkpoint, client", sign(f"{ORIGIN}\n0\n{_ROOT}\n", ORIGIN, LOG_KEY).encode()),
}  # fmt: skip
"""What it is; which parser it went through; the bytes."""


@pytest.mark.parametrize(("name", "data"), CRASHERS.values(), ids=CRASHERS)
def test_parser_when_a_known_crasher_comes_then_its_own_error(name: str, data: bytes) -> None:
    """What once crashed it, or passed, is refused by the parser's own error."""
    parser = PARSERS[name]
    with pytest.raises(parser.errors):
        parser.read(data)


def test_credential_when_the_key_is_odd_then_its_own_error() -> None:
    """A processor's key of an unknown kind, or under a password, is refused by the client's own error."""
    for data in (_ODD, _LOCKED):
        with pytest.raises(ConfigurationError):
            Credential("cli_x", data)


def spellings(data: bytes) -> list[bytes]:
    """Write an input in the ways in which lenient readers take the same thing."""
    text = data.decode()
    digits = [text.translate({ord("0") + n: chr(zero + n) for n in range(10)}) for zero in (0x0660, 0xFF10)]
    others = [
        *digits,
        text.upper(),
        text + "=",
        text + "==",
        text.replace("-", "+").replace("_", "/"),
        "+" + text,
        "0" + text,
        text.replace("0", "00", 1),
    ]
    around = [
        data + b"\n",
        data + b" ",
        b" " + data,
        b"\xef\xbb\xbf" + data,
        data + b"\x00",
        data + b"\r\n",
        data + b"\xe2\x80\x8b",
    ]
    return [each for each in (*around, *(other.encode() for other in others)) if each != data]


ONE_SPELLING: Final[dict[str, Parser]] = {name: parser for name, parser in PARSERS.items() if parser.write is not None}


@pytest.mark.parametrize("name", sorted(ONE_SPELLING))
def test_parser_when_spelt_another_way_then_refused(name: str) -> None:
    """Padding, stray bits, another script's digits, leading zeros, marks and blanks around it: one thing has one spelling."""
    for seed in ONE_SPELLING[name].seeds:
        for other in spellings(seed):
            assert judge(name, other) is None, other


@given(st.binary(min_size=1, max_size=12), st.integers(1, 3))
def test_unpack_when_the_last_character_has_stray_bits_then_refused(raw: bytes, stray: int) -> None:
    """Each base64url text that decodes to the same bytes but the canonical one is refused."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    written = pack(raw)
    assert unpack(written.encode()) == raw
    if len(raw) % 3:
        other = written[:-1] + alphabet[alphabet.index(written[-1]) + stray]
        assert judge("compact jws", f"{other}.e30.AA".encode()) is None
        with pytest.raises(ValueError, match="canonical"):
            unpack(other.encode())


@pytest.mark.parametrize(("good", "check"), [(PROOF, check_proof), (TOKEN, check_token), (ASSERTION, check_client)])
def test_signature_when_its_twin_is_sent_then_the_same_thing(good: str, check: Any) -> None:
    """ECDSA has two signatures of one text, and both are lawful (RFC 7518 §3.4): the twin is spent as the same proof, and says the same."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (SEC 2 §2.4.2)
    message, _, signature = good.rpartition(".")
    raw = unpack(signature.encode())
    twin = f"{message}.{pack(raw[:32] + (order - int.from_bytes(raw[32:], 'big')).to_bytes(32, 'big'))}"
    assert twin != good
    assert check(twin.encode()) == check(good.encode())


def test_assertion_when_nested_to_any_depth_then_its_own_error() -> None:
    """No depth of a claim finds the two decoders of an assertion disagreeing about what is too deep."""
    claims = json.dumps({"iss": "x", "x": 0})[:-2]
    for depth in range(1, 1500, 7):
        nested = KEY.sign_compact({}, (claims + "[" * depth + "]" * depth + "}").encode())
        assert judge("client assertion", nested.encode()) is None


def test_checkpoint_when_the_client_takes_it_then_the_server_does_and_reads_the_same(pytestconfig: pytest.Config) -> None:
    """Two readers written apart agree: what a processor's client believes is what the log's own reader reads."""
    pinned, taken = [client_notes.parse_vkey(VKEY)], 0
    for data in islice(
        mutants(PARSERS["signed checkpoint"].seeds, PARSERS["vkey"].words, pytestconfig.getoption("randomly_seed", 0)), 2_000
    ):
        try:
            ours = client_notes.open_checkpoint(data.decode(), pinned).checkpoint
        except (ReceiptBroken, UnicodeDecodeError):
            continue
        try:
            theirs = open_checkpoint(data, [VERIFIER], ORIGIN)
        except NoteInvalid as refused:
            raise AssertionError(data) from refused
        assert (ours.origin, ours.size, ours.root) == (theirs.origin, theirs.size, theirs.root)
        taken += 1
    assert taken


@pytest.mark.parametrize("kind", Kind)
def test_schedule_when_read_and_written_then_the_same_rows(kind: Kind, pytestconfig: pytest.Config) -> None:
    """Whatever damage is still read, is read as itself: written anew in either kind it gives the same rows."""
    parser, read = PARSERS[f"schedule {kind.value}"], 0
    for data in islice(mutants(parser.seeds, parser.words, pytestconfig.getoption("randomly_seed", 0)), 1_500):
        try:
            rows = cells_of(read_schedule(kind, data))
        except ValueError:
            continue
        assert cells_of(read_schedule(Kind.CSV, write_csv(rows))) == rows
        assert cells_of(read_schedule(Kind.JSON, write_json(rows))) == rows
        read += 1
    assert read
    assert cells_of(read_schedule(kind, parser.seeds[0]))[0] == ROWS[0]


def test_body_when_it_is_taken_then_no_member_stands_twice(pytestconfig: pytest.Config) -> None:
    """Each body that is read as a request has each member once, as a reader that looks for that says."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    parser, taken = PARSERS["disclosure body"], 0
    twice = [json.dumps(BODY)[:-1] + "," + json.dumps({name: value})[1:] for name, value in BODY.items()]
    for data in islice(
        mutants([*parser.seeds, *map(str.encode, twice)], parser.words, pytestconfig.getoption("randomly_seed", 0)), 4_000
    ):
        if judge("disclosure body", data) is None and _is_read(parser, data):
            json.loads(data, object_pairs_hook=once)
            taken += 1
    assert taken
    assert not any(_is_read(parser, each.encode()) for each in twice)


def _is_read(parser: Parser, data: bytes) -> bool:
    try:
        parser.read(data)
    except parser.errors:
        return False
    return True


def test_key_when_fixed_then_these_tests_are_the_same_in_every_run() -> None:
    """The key of the signed seeds is derived, not drawn, and the instant of them is of no clock."""
    assert fixed_key(7).thumbprint == KEY.thumbprint
    assert isinstance(check_token(TOKEN.encode()).expires_at, datetime)
