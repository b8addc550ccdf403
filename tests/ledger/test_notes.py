"""Signed notes, verifier keys and checkpoints: vectors of other implementations, and every other spelling refused."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ecluse.ledger.errors import KeyInvalid, LedgerError, NoteInvalid
from ecluse.ledger.model import Checkpoint
from ecluse.ledger.notes import (
    MAX_NOTE_BYTES,
    format_checkpoint,
    format_vkey,
    open_checkpoint,
    open_note,
    parse_checkpoint,
    parse_decimal,
    parse_vkey,
    sign,
    sign_checkpoint,
    verifier_of,
    verifier_of_key,
)
from ecluse.ledger.tree import EMPTY_ROOT

pytestmark = pytest.mark.unit

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "c2sp" / "notes.json").read_text(encoding="utf-8"))
TEXT, PETER_LINE, ENOCH_LINE = VECTORS["text"], VECTORS["peter_line"], VECTORS["enoch_line"]
PETER, ENOCH = parse_vkey(VECTORS["peter_vkey"]), parse_vkey(VECTORS["enoch_vkey"])
PETER_KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["peter_seed"]))
ORIGIN = "register.example/ecluse/main"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ROOT = bytes(range(32))


@pytest.mark.parametrize("text", VECTORS["bad_vkeys"])
def test_parse_vkey_when_a_vector_is_bad_then_refused(text):
    """A key of the wrong length or an unknown type is refused, also where its id is adjusted to it."""
    with pytest.raises(KeyInvalid):
        parse_vkey(text)


def test_parse_vkey_when_cut_or_changed_anywhere_then_refused():
    """No part of a vkey, and no vkey with one character raised, is a vkey."""
    text = VECTORS["peter_vkey"]
    for begin in range(len(text) + 1):
        for end in range(begin, len(text) + 1):
            if (begin, end) != (0, len(text)):
                with pytest.raises(KeyInvalid):
                    parse_vkey(text[begin:end])
    for at, one in enumerate(text):
        with pytest.raises(KeyInvalid):
            parse_vkey(text[:at] + chr(ord(one) + 1) + text[at + 1 :])


def test_parse_vkey_when_spelled_otherwise_then_refused():
    """A vkey has one spelling: no other case, blanks or line end."""
    key = VECTORS["enoch_vkey"]
    for other in (key.upper(), key.replace("af0cfe78", "AF0CFE78"), key + "\n", " " + key, key.replace("+", "+ ", 1)):
        with pytest.raises(KeyInvalid):
            parse_vkey(other)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u2003b", "a\tb", "a\nb", "\ud800"])
def test_verifier_of_when_the_name_can_not_be_then_refused(name):
    """Key names have no white space of any script, no control character, no plus."""
    with pytest.raises(KeyInvalid):
        verifier_of(name, bytes(32))


def test_vkey_when_its_base64_holds_plus_then_split_at_the_first_two():
    """A key whose base64 holds ``+`` reads back; the first such key is found by trying."""
    for seed in range(500):
        verifier = verifier_of_key("a.example/log", Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big")))
        text = format_vkey(verifier)
        if text.count("+") > 2:
            assert parse_vkey(text) == verifier
            return
    raise AssertionError("impossible: no such key in 500")


def test_format_vkey_when_read_from_a_vector_then_the_same_text():
    """The vectors' keys are written as they were read."""
    assert format_vkey(PETER) == VECTORS["peter_vkey"]
    assert format_vkey(ENOCH) == VECTORS["enoch_vkey"]
    assert verifier_of_key("PeterNeumann", PETER_KEY) == PETER


@pytest.mark.parametrize("note", VECTORS["malformed"])
def test_open_note_when_a_vector_is_malformed_then_refused(note):
    """Every malformed note of the vectors is refused."""
    with pytest.raises(NoteInvalid):
        open_note(note, [PETER])


@pytest.mark.parametrize(
    "note",
    [
        "\n" + PETER_LINE,
        TEXT + "\n" + PETER_LINE.replace("\n", "\r\n"),
        TEXT + "\n" + PETER_LINE.replace("\n", "\u2028"),
        TEXT + "\n" + PETER_LINE.replace("\u2014", "-"),
        TEXT + "\n" + PETER_LINE.replace(" x08", "  x08"),
        TEXT + "\n" + PETER_LINE.replace("=\n", "\n"),
        TEXT + "\n" + PETER_LINE.replace("AM=\n", "AN=\n"),
        TEXT + "\n" + PETER_LINE.replace("=\n", "= \n"),
        TEXT + "\n" + PETER_LINE + "\n",
        TEXT + "\n" + PETER_LINE + "\u2014 Other x08goA==\n",
        TEXT + "\n" + PETER_LINE * 101,
        "a" * MAX_NOTE_BYTES + "\n\n" + PETER_LINE,
    ],
)
def test_open_note_when_spelled_otherwise_then_refused(note):
    """Other line ends, dashes, blanks, base64 or too much of anything: refused."""
    with pytest.raises(NoteInvalid):
        open_note(note, [PETER])


def test_open_note_when_not_utf8_then_refused():
    """A note is UTF-8."""
    with pytest.raises(NoteInvalid):
        open_note(b"\xff" + TEXT.encode() + b"\n" + PETER_LINE.encode(), [PETER])
    with pytest.raises(NoteInvalid):
        open_note("\ud800" + TEXT + "\n" + PETER_LINE, [PETER])


def test_open_note_when_nobody_known_signed_then_refused():
    """Without a good signature of a known key there is no note, nor for a key that shares only the name or only the id."""
    namesake = verifier_of("PeterNeumann", bytes(32))
    for known in ([], [ENOCH], [namesake]):
        with pytest.raises(NoteInvalid):
            open_note(TEXT + "\n" + PETER_LINE, known)


def test_open_note_when_a_known_keys_signature_is_bad_then_refused_whatever_else():
    """One bad signature by a known key refuses the note, before or after a good one."""
    bad = PETER_LINE.replace("ZJku", "ZJkv")
    for tail in (bad, bad + ENOCH_LINE, ENOCH_LINE + bad, PETER_LINE + bad):
        with pytest.raises(NoteInvalid, match="bad"):
            open_note(TEXT + "\n" + tail, [PETER, ENOCH])
    with pytest.raises(NoteInvalid, match="bad"):
        open_note("X" + TEXT + "\n" + PETER_LINE, [PETER])


def test_open_note_when_two_known_keys_can_not_be_told_apart_then_refused():
    """Two keys with one name and id are the caller's mistake; one key given twice is not."""
    twin = type(PETER)(name=PETER.name, key_id=PETER.key_id, public_key=bytes(32))
    with pytest.raises(KeyInvalid):
        open_note(TEXT + "\n" + PETER_LINE, [PETER, twin])
    assert open_note(TEXT + "\n" + PETER_LINE, [PETER, PETER]).signed_by == (PETER,)


def test_open_note_when_signed_by_both_then_told_by_whom():
    """Known signers are named, unknown ones carried; order does not matter."""
    for tail in (PETER_LINE + ENOCH_LINE, ENOCH_LINE + PETER_LINE):
        note = open_note((TEXT + "\n" + tail).encode(), [PETER])
        assert (note.text, note.signed_by) == (TEXT, (PETER,))
        assert [one.name for one in note.ignored] == ["EnochRoot"]
        both = open_note(TEXT + "\n" + tail, [ENOCH, PETER]).signed_by
        assert sorted(one.name for one in both) == ["EnochRoot", "PeterNeumann"]


def test_open_note_when_it_has_16_witnesses_then_accepted():
    """At least 16 signatures are accepted, large unknown ones included."""
    large = "".join(f"\u2014 w{n}.example/w {b64encode(bytes([n]) * 5000).decode()}\n" for n in range(16))
    assert len(open_note(TEXT + "\n" + large + PETER_LINE, [PETER]).ignored) == 16


def test_sign_when_peter_signs_then_the_published_note():
    """Ed25519 is deterministic: our note is byte for byte the vector's."""
    assert sign(TEXT, "PeterNeumann", PETER_KEY) == TEXT + "\n" + PETER_LINE


@pytest.mark.parametrize("text", ["abc", "", "a\r\n", "a\x00\n", "\ud800\n"])
def test_sign_when_the_text_is_no_notes_then_refused(text):
    """Only what can be opened again is signed."""
    with pytest.raises(NoteInvalid):
        sign(text, "PeterNeumann", PETER_KEY)


def test_open_note_when_the_standards_example_then_only_its_key_is_wanting():
    """The example of signed-note.md parses (its text holds an empty line); its key is not published."""
    with pytest.raises(NoteInvalid, match="no known key"):
        open_note(VECTORS["quasimodo"], [PETER])
    with pytest.raises(NoteInvalid, match="no known key"):
        open_note(VECTORS["behind_the_sofa"], [PETER])
    text = VECTORS["behind_the_sofa"].split("\n\n")[0] + "\n"
    assert parse_checkpoint(text).size == 20852163


@pytest.mark.parametrize(
    "text",
    ["", "1_0", "+7", "-1", " 1", "1 ", "01", "00", "1.0", "1e3", "\u0661", "\u00b2", "0x1", str(2**63), "9" * 400, "1\n"],
)
def test_parse_decimal_when_spelled_otherwise_then_refused(text):
    """What ``int()`` takes and the standard does not."""
    with pytest.raises(ValueError, match="canonical decimal"):
        parse_decimal(text)


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_parse_decimal_when_canonical_then_read(number):
    """Every size has one spelling, which reads back."""
    assert parse_decimal(str(number)) == number


ROOT_TEXT = b64encode(ROOT).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"{ORIGIN}\n5\n{ROOT_TEXT}",
        f"{ORIGIN}\n5\n",
        f"\n5\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n05\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n-5\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n5\n{ROOT_TEXT}\n\n",
        f"{ORIGIN}\n5\n{ROOT_TEXT}\n\nextension\n",
        f"{ORIGIN}\n5\n{ROOT_TEXT[:-1]}\n",
        f"{ORIGIN}\n5\n{ROOT_TEXT[:-4]}\n",
        f"{ORIGIN}\n5\n {ROOT_TEXT}\n",
        f"{ORIGIN}\n0\n{ROOT_TEXT}\n",
        f"{ORIGIN}\r\n5\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n{2**63}\n{ROOT_TEXT}\n",
    ],
)
def test_parse_checkpoint_when_spelled_otherwise_then_refused(text):
    """A checkpoint is an origin, a canonical size, a root, and no empty line."""
    with pytest.raises(NoteInvalid):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint(origin="", size=1, root=ROOT),
        Checkpoint(origin="a\nb", size=1, root=ROOT),
        Checkpoint(origin=ORIGIN, size=-1, root=ROOT),
        Checkpoint(origin=ORIGIN, size=2**63, root=ROOT),
        Checkpoint(origin=ORIGIN, size=1, root=ROOT[:-1]),
        Checkpoint(origin=ORIGIN, size=0, root=ROOT),
        Checkpoint(origin=ORIGIN, size=1, root=ROOT, extensions=("",)),
        Checkpoint(origin=ORIGIN, size=1, root=ROOT, extensions=("a\nb",)),
    ],
)
def test_format_checkpoint_when_it_could_not_be_read_back_then_refused(checkpoint):
    """Nothing is written that would not parse to the same."""
    with pytest.raises(NoteInvalid):
        format_checkpoint(checkpoint)


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint(origin=ORIGIN, size=0, root=EMPTY_ROOT),
        Checkpoint(origin=ORIGIN, size=2**63 - 1, root=ROOT),
        Checkpoint(origin=ORIGIN, size=7, root=ROOT, extensions=("one", "two 2")),
    ],
)
def test_open_checkpoint_when_signed_then_the_same_checkpoint(checkpoint):
    """What is signed opens to itself, for its own origin only."""
    note = sign_checkpoint(checkpoint, KEY)
    assert open_checkpoint(note, [verifier_of_key(ORIGIN, KEY)], ORIGIN) == checkpoint
    with pytest.raises(NoteInvalid):
        open_checkpoint(note, [verifier_of_key(ORIGIN, KEY)], "other.example/log")


def test_open_checkpoint_when_any_byte_is_changed_then_refused_or_the_same():
    """No changed byte gives another checkpoint."""
    checkpoint = Checkpoint(origin=ORIGIN, size=20852163, root=ROOT)
    note = sign_checkpoint(checkpoint, KEY).encode()
    known = [verifier_of_key(ORIGIN, KEY)]
    for at in range(len(note)):
        for bit in (1, 32):
            with pytest.raises(NoteInvalid):
                open_checkpoint(note[:at] + bytes([note[at] ^ bit]) + note[at + 1 :], known, ORIGIN)


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_parsers_when_given_anything_then_only_their_own_errors(raw):
    """Arbitrary input raises the ledger's errors and no others."""
    text = raw.decode("utf-8", "surrogateescape") if isinstance(raw, bytes) else raw
    for parse in (lambda: open_note(raw, [PETER]), lambda: parse_checkpoint(text), lambda: parse_vkey(text)):
        with pytest.raises(LedgerError):
            parse()
