"""Trust policies and cosignatures: the vectors, then what no vector says: size, addresses, keys that are nobody's, and every changed byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ecluse.ledger.errors import KeyInvalid, NoteInvalid, PolicyInvalid
from ecluse.ledger.model import Checkpoint, Verifier
from ecluse.ledger.notes import (
    COSIGNATURE,
    ED25519,
    cosign,
    format_checkpoint,
    format_vkey,
    open_checkpoint,
    open_cosigned,
    open_note,
    parse_vkey,
    sign,
    sign_checkpoint,
    verifier_of,
    verifier_of_key,
)
from ecluse.ledger.quorum import MAX_POLICY_BYTES, Policy, parse_policy

pytestmark = pytest.mark.unit

VECTORS = Path(__file__).parents[1] / "vectors" / "c2sp"
POLICIES = json.loads((VECTORS / "policies.json").read_text(encoding="utf-8"))
COSIGNATURES = json.loads((VECTORS / "cosignatures.json").read_text(encoding="utf-8"))
ORIGIN = "register.example/ecluse/main"
KEY, WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32), Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
LOG, WITNESS = verifier_of_key(ORIGIN, KEY), verifier_of_key("witness.example/w", WITNESS_KEY, COSIGNATURE)
TEXT = format_checkpoint(Checkpoint(origin=ORIGIN, size=7, root=bytes(range(32))))
SIGNED = sign_checkpoint(Checkpoint(origin=ORIGIN, size=7, root=bytes(range(32))), KEY)


def _read(case: dict[str, str]) -> Policy:
    return parse_policy(case["policy"].encode("latin-1"))


def _open(case: dict[str, list[str]]):
    logs, witnesses = [parse_vkey(one) for one in case["logs"]], [parse_vkey(one, COSIGNATURE) for one in case["witnesses"]]
    return open_cosigned(case["note"], logs, case["origin"], witnesses)


# ── policies ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("case", POLICIES["refused"], ids=lambda case: case["name"])
def test_parse_policy_when_a_vector_is_bad_then_refused_at_its_line(case):
    """Every policy that the standard refuses is refused, and the line is named."""
    with pytest.raises(PolicyInvalid) as refused:
        _read(case)
    assert refused.value.line == case["line"]
    assert refused.value.why


@pytest.mark.parametrize("case", POLICIES["accepted"], ids=lambda case: case["name"])
def test_parse_policy_when_a_vector_is_good_then_judged_as_it_says(case):
    """Good policies are read whole, and tell which sets of witnesses are enough."""
    policy = _read(case)
    names = [peer.name.decode("latin-1") for peer in policy.witnesses]
    assert (len(policy.logs), names) == (case["logs"], case["witnesses"])
    assert (policy.quorum and policy.quorum.decode("latin-1")) == case["quorum"]
    keys = {peer.name.decode("latin-1"): peer.verifier for peer in policy.witnesses}
    for cosigned, enough in case["cosigned"]:
        assert policy.reached(keys[name] for name in cosigned) is enough, cosigned


def test_parse_policy_when_huge_then_refused():
    """A file beyond the limit is not read; one of many thousand lines below it is read at once."""
    with pytest.raises(PolicyInvalid, match="too large"):
        parse_policy(b"#" * MAX_POLICY_BYTES + b"\n")
    lines = [
        f"witness w{n} {format_vkey(verifier_of(f'w{n}', n.to_bytes(32, 'big'), COSIGNATURE))}\n".encode()
        for n in range(1, 9_001)
    ]
    raw = b"".join(lines) + b"group all-of-them all " + b" ".join(b"w%d" % n for n in range(1, 9_001)) + b"\nquorum all-of-them\n"
    policy = parse_policy(raw)
    assert policy.reached(one.verifier for one in policy.witnesses)
    assert not policy.reached(one.verifier for one in policy.witnesses[1:])


def test_parse_policy_when_an_address_is_no_utf8_then_kept_in_ascii():
    """An address is opaque: its odd octets are shown, and nothing that can't be printed is handed on."""
    (witness,) = parse_policy(f"witness a {format_vkey(WITNESS)} ".encode() + b"http://a\xff\nquorum a\n").witnesses
    assert witness.url == "http://a\\xff"
    (witness,) = parse_policy(f"witness a {format_vkey(WITNESS)} http://a\nquorum a\n".encode()).witnesses
    assert witness.url == "http://a"


def test_reached_when_keys_are_nobodys_then_they_count_for_nothing():
    """Neither the witness's key as a log's, nor its name or id with another key, nor another's stands for it."""
    policy = parse_policy(f"witness a {format_vkey(WITNESS)}\nquorum a\n".encode())
    imposters = [
        verifier_of_key(WITNESS.name, WITNESS_KEY, ED25519),
        Verifier(name=WITNESS.name, key_id=WITNESS.key_id, public_key=bytes(32), algorithm=COSIGNATURE),
        Verifier(name="other", key_id=WITNESS.key_id, public_key=WITNESS.public_key, algorithm=COSIGNATURE),
        LOG,
    ]
    assert not policy.reached(imposters)
    assert policy.reached([*imposters, WITNESS])


@given(st.lists(st.booleans(), min_size=6, max_size=6), st.integers(1, 3), st.integers(1, 3))
def test_reached_when_any_set_cosigns_then_as_counted_by_hand(there, first, second):
    """Two groups of three under one: enough when each has as many as it asks for, and more never makes it less."""
    vkeys = [verifier_of(f"w{n}", bytes([n]) * 32, COSIGNATURE) for n in range(6)]
    lines = [f"witness w{n} {format_vkey(one)}" for n, one in enumerate(vkeys)]
    lines += [f"group a {first} w0 w1 w2", f"group b {second} w3 w4 w5", "group both all a b", "quorum both", ""]
    policy = parse_policy("\n".join(lines).encode())
    cosigned = [one for one, given_ in zip(vkeys, there, strict=True) if given_]
    assert policy.reached(cosigned) is (sum(there[:3]) >= first and sum(there[3:]) >= second)
    assert policy.reached(cosigned * 2) is policy.reached(cosigned)


@given(st.binary(max_size=200) | st.text(alphabet="lognewitsquru \t\n#+123ab", max_size=120).map(str.encode))
def test_parse_policy_when_given_anything_then_read_or_its_own_error(raw):
    """Arbitrary input is refused by its own error, or is a policy that all its witnesses together satisfy."""
    try:
        policy = parse_policy(raw)
    except PolicyInvalid:
        return
    assert policy.reached(one.verifier for one in policy.witnesses)


# ── cosignatures ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("case", COSIGNATURES["refused"], ids=lambda case: case["name"])
def test_open_cosigned_when_a_vector_is_bad_then_refused(case):
    """Every note with a bad line of a known key, or that the log did not sign, is refused as a whole."""
    with pytest.raises(NoteInvalid):
        _open(case)


@pytest.mark.parametrize("case", COSIGNATURES["accepted"], ids=lambda case: case["name"])
def test_open_cosigned_when_a_vector_is_good_then_who_and_when(case):
    """Good notes tell who cosigned and when; unknown keys' lines are passed over."""
    opened = _open(case)
    assert {one.name: at for one, at in opened.cosigned_at.items()} == case["cosigned_at"]
    assert opened.checkpoint.origin == case["origin"]
    assert {one.name for one in opened.signed_by} == {case["origin"]}


def test_open_cosigned_when_any_byte_of_it_is_changed_then_refused_or_uncosigned():
    """No changed bit of a witness's line gives another cosignature of it; where its name or id is hit, it is nobody's."""
    line = cosign(TEXT, WITNESS.name, WITNESS_KEY, 1_679_315_147).encode()
    assert list(open_cosigned(SIGNED.encode() + line, [LOG], ORIGIN, [WITNESS]).cosigned_at) == [WITNESS]
    for at in range(len(line)):
        for bit in range(8):
            changed = line[:at] + bytes([line[at] ^ 1 << bit]) + line[at + 1 :]
            try:
                opened = open_cosigned(SIGNED.encode() + changed, [LOG], ORIGIN, [WITNESS])
            except NoteInvalid:
                continue
            assert opened.cosigned_at == {}


def test_open_checkpoint_when_another_log_of_ours_signed_it_then_refused():
    """A key that is known for one log does not speak for another, with or without its own log's signature beside it."""
    other = Ed25519PrivateKey.from_private_bytes(b"\x03" * 32)
    known = [LOG, verifier_of_key("other.example/log", other)]
    forged = sign(TEXT, "other.example/log", other)
    assert open_note(forged, known).text == TEXT
    with pytest.raises(NoteInvalid):
        open_checkpoint(forged, known, ORIGIN)
    with pytest.raises(NoteInvalid):
        open_checkpoint(SIGNED, known, "other.example/log")
    assert open_checkpoint(SIGNED, known, ORIGIN).size == 7


def test_open_cosigned_when_cosigned_by_a_witness_then_it_is_no_logs_signature():
    """A cosignature opens a note (signed-note) and never stands for the log's own signature (tlog-checkpoint)."""
    cosigned = f"{TEXT}\n{cosign(TEXT, ORIGIN, WITNESS_KEY, 1)}"
    named_alike = verifier_of_key(ORIGIN, WITNESS_KEY, COSIGNATURE)
    assert open_note(cosigned, [named_alike]).cosigned_at == {named_alike: 1}
    with pytest.raises(NoteInvalid, match="no known key of the log"):
        open_cosigned(cosigned, [LOG], ORIGIN, [named_alike])


@pytest.mark.parametrize("at", [0, -1, 2**63])
def test_cosign_when_the_time_can_not_be_then_a_bug(at):
    """A witness states a time of 63 bits, and never none."""
    with pytest.raises(AssertionError, match="impossible"):
        cosign(TEXT, WITNESS.name, WITNESS_KEY, at)


def test_parse_vkey_when_of_the_other_type_then_refused_and_the_ids_differ():
    """A log's key is no witness's and the other way round, though the public key be one: the type is in the id."""
    as_log, as_witness = verifier_of_key("a", KEY), verifier_of_key("a", KEY, COSIGNATURE)
    assert as_log.key_id != as_witness.key_id
    assert parse_vkey(format_vkey(as_witness), COSIGNATURE) == as_witness
    for text, algorithm in ((format_vkey(as_log), COSIGNATURE), (format_vkey(as_witness), ED25519)):
        with pytest.raises(KeyInvalid, match="not of type"):
            parse_vkey(text, algorithm)
