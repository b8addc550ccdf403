"""An entry's fields: the vocabulary is the documented one, the commitment is the documented bytes, an opening can't be bent."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ecluse.ledger import FIELDS, SHOWN_TO_PROCESSOR, SHOWN_TO_REFUSED, Event, canonical, commit, leaf_from_opening, opening_shown
from ecluse.ledger.fields import field_digest, fields_of, fold_digests
from ecluse.ledger.tree import node_hash, root_of

pytestmark = pytest.mark.unit

FORMATS = Path(__file__).parents[2] / "docs" / "decisions" / "0001-formats.md"
AT = "2026-01-05T09:12:33.000001Z"
ENTRY = [("at", AT), ("event", "disclosure:person:granted"), ("agent", "agt_x"), ("forms", {"b": "full", "a": "year"})]
SALTS = bytes(range(128))

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefghij_", min_size=1, max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def test_fields_when_unknown_or_misplaced_in_an_opening_then_refused() -> None:
    """An opening row with a strange field, another order, a field twice or no ``at`` first is none."""
    for pairs in (
        '[["at","x"],["event","e"],["colour","red"]]',
        '[["at","x"],["event","e"],["agent","a"],["client","c"]]',
        '[["at","x"],["event","e"],["agent","a"],["agent","a"]]',
        '[["event","e"],["at","x"]]',
        '[["at","x"]]',
        '{"at":"x"}',
        "[",
    ):
        with pytest.raises(ValueError, match=r"."):
            leaf_from_opening(pairs, bytes(32 * max(1, pairs.count('["'))))


def test_salts_when_one_is_missing_then_refused() -> None:
    """Each field has its own 32 bytes."""
    committed = commit(ENTRY, SALTS)
    with pytest.raises(ValueError, match="salts"):
        leaf_from_opening(committed.fields, SALTS[:-1])
    with pytest.raises(AssertionError, match="impossible"):
        commit(ENTRY, SALTS[:-32])


def test_leaf_when_committed_then_the_documented_bytes() -> None:
    """Leaf v1 is written by hand from the decision record, digest by digest."""

    def digest(name: str, salt: bytes, jcs: bytes) -> bytes:
        return hashlib.sha256(b"ecluse/1/" + name.encode() + b"\0" + salt + jcs).digest()

    digests = [
        digest("at", SALTS[:32], b'"2026-01-05T09:12:33.000001Z"'),
        digest("event", SALTS[32:64], b'"disclosure:person:granted"'),
        digest("agent", SALTS[64:96], b'"agt_x"'),
        digest("forms", SALTS[96:], b'{"a":"year","b":"full"}'),
    ]
    root = hashlib.sha256(
        b"\1"
        + hashlib.sha256(b"\1" + digests[0] + digests[1]).digest()
        + hashlib.sha256(b"\1" + digests[2] + digests[3]).digest()
    ).hexdigest()
    committed = commit(ENTRY, SALTS)
    assert committed.leaf == b'{"c":"' + root.encode() + b'","h":"2026-01-05T09Z","k":"decision","v":1}'
    assert leaf_from_opening(committed.fields, committed.salts) == committed.leaf
    assert fields_of(committed.fields)[3] == ("forms", {"a": "year", "b": "full"})


def test_kind_when_control_then_said_in_the_leaf() -> None:
    """Control entries are told from decisions by ``k`` alone."""
    assert b'"k":"control"' in commit([("at", AT), ("event", Event.HOLD_PLACED.value)], SALTS[:64]).leaf


def test_name_when_prefix_of_another_then_no_shared_preimage() -> None:
    """The zero byte after the name: without it these two would hash the same bytes."""
    salt = b"x" + bytes(30) + b"1"
    moved = bytes(30) + b"1" + b"2"
    assert field_digest("agent", salt, 23) != hashlib.sha256(b"ecluse/1/agentx" + moved + b"3").digest()
    assert hashlib.sha256(b"ecluse/1/agent" + salt + b"23").digest() == hashlib.sha256(b"ecluse/1/agentx" + moved + b"3").digest()


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40))
def test_fold_when_any_count_then_the_tree_of_rfc_6962(digests: list[bytes]) -> None:
    """Pairing neighbours and promoting an odd last one is the standard's largest-power-of-two split."""
    assert fold_digests(digests) == root_of(digests)


def test_nodes_when_folded_then_with_the_node_prefix() -> None:
    """Digests stand where leaf hashes would; inner nodes are the log's own."""
    left, right = bytes(32), bytes([1] * 32)
    assert fold_digests([left, right]) == node_hash(left, right)


@given(values)
def test_canonical_when_any_field_value_then_rfc_8785(value: object) -> None:
    """On the domain of fields our encoder is byte for byte the ``rfc8785`` package's."""
    assert canonical(value) == rfc8785.dumps(value)


@given(values, st.binary(min_size=32, max_size=32), values)
def test_digest_when_value_differs_then_differs(value: object, salt: bytes, other: object) -> None:
    """Two values share a digest only if they are the same JSON."""
    same = rfc8785.dumps(value) == rfc8785.dumps(other)
    assert (field_digest("detail", salt, value) == field_digest("detail", salt, other)) is same


def test_opening_when_shown_then_hidden_fields_are_digests_only() -> None:
    """What is not shown is one digest: no name, no salt, no value."""
    committed = commit(ENTRY, SALTS)
    shown = opening_shown(ENTRY, SALTS, frozenset({"at", "forms"}))
    assert shown == opening_shown(ENTRY, SALTS, frozenset({"at", "forms"}), committed.digests)
    assert shown[0] == ["at", SALTS[:32].hex(), AT]
    assert shown[1] == committed.digests[1].hex()
    assert shown[2] == committed.digests[2].hex()
    assert shown[3] == ["forms", SALTS[96:].hex(), {"b": "full", "a": "year"}]


def test_shown_when_to_a_processor_then_never_the_person_or_the_rules() -> None:
    """A processor never learns the reference, the fingerprints, the rules or the inner reasons of its own entry."""
    assert not {"subject", "fingerprints", "rules", "reasons", "interval"} & SHOWN_TO_PROCESSOR
    assert SHOWN_TO_REFUSED < SHOWN_TO_PROCESSOR
    assert not {"purpose", "legal_basis", "contract", "forms", "values"} & SHOWN_TO_REFUSED


def test_vocabulary_when_read_in_the_decision_record_then_the_same_in_the_same_order() -> None:
    """The table of fields in 0001-formats.md is the code's list."""
    table = FORMATS.read_text(encoding="utf-8").split("| field | value |")[1].split("\n\n")[0]
    names = [name for row in re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE) for name in re.findall(r"`([a-z_]+)`", row)]
    assert names == list(FIELDS)


def test_events_when_listed_then_three_words_each() -> None:
    """``capability:subject:action``, as every public vocabulary."""
    assert all(re.fullmatch(r"[a-z]+:[a-z]+:[a-z]+", event.value) for event in Event)
    assert len({event.value for event in Event}) == len(Event)
