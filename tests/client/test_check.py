"""Receipts as files: what must be refused, each bit that can be flipped, what a good one says; and the reader's own spelling."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ecluse.client.check import Statement, check_file
from ecluse.client.errors import QuorumMissing, ReceiptBroken
from ecluse.client.proofs import read_file, split_proof, write_file
from ecluse.client.receipts import open_entry
from ecluse.client.tree import check_inclusion
from ecluse.client.trust import Policy, believe, parse_policy
from ecluse.ledger import notes, quorum, tree

pytestmark = pytest.mark.unit

Row = dict[str, Any]
VECTORS: Final[Row] = json.loads(
    (Path(__file__).resolve().parents[1] / "vectors" / "integrators" / "receipt-files.json").read_text(encoding="utf-8")
)
GOOD: Final = {row["name"]: row for row in VECTORS["accepted"]}
SMALL: Final = GOOD["a person's"]


def named(rows: list[Row]) -> pytest.MarkDecorator:
    """Run a test for each row, under its name."""
    return pytest.mark.parametrize("row", rows, ids=[row["name"] for row in rows])


def policy_of(row: Row) -> Policy:
    """Read the policy that a row is judged by."""
    return parse_policy(VECTORS["policies"][row["policy"]].encode())


def failing(row: Row) -> str:
    """Judge a file step by step and name the part that refuses it, as the vectors do."""
    raw, policy = row["file"].encode(), policy_of(row)
    part = "form"
    try:
        held = read_file(raw)
        part = "opening"
        leaf_hash, _ = open_entry(held.opening)
        part = "checkpoint"
        head = believe(held.note, policy)
        part = "proof"
        check_inclusion(held.index, leaf_hash, held.path, head.checkpoint)
        part = "opening"
        check_file(raw, policy)
    except QuorumMissing:
        return "quorum"
    except ReceiptBroken as broken:
        return (
            "values"
            if part == "opening"
            and {"value", "values", "salts"} & set(str(broken).split()) - {"entry"}
            and "attributes" not in str(broken)
            else part
        )
    return ""


@named(VECTORS["refused"])
def test_file_when_spoilt_then_refused_by_the_part_it_names(row: Row) -> None:
    """Each spoilt file is refused, and by the part where it was spoilt."""
    with pytest.raises(ReceiptBroken):
        check_file(row["file"].encode(), policy_of(row))
    assert failing(row) == row["fails"]


def test_vectors_when_counted_then_most_must_be_refused() -> None:
    """At least two thirds of the cases are ones to refuse, under names of their own."""
    assert len(VECTORS["refused"]) >= 2 * len(VECTORS["accepted"])
    assert len({row["name"] for row in VECTORS["refused"]}) == len(VECTORS["refused"])


@named(VECTORS["accepted"])
def test_file_when_good_then_says_what_was_sealed_and_is_written_back(row: Row) -> None:
    """Each good file says exactly what its vector says, and is written back byte for byte."""
    raw, says = row["file"].encode(), dict(row["says"])
    statement = check_file(raw, policy_of(row))
    assert {key.name: at for key, at in statement.head.cosigned_at.items()} == says.pop("witnesses")
    values = says.pop("values", None)
    assert (None if statement.values is None else dict(statement.values)) == values
    committed = says.pop("committed", None)
    assert (None if statement.committed is None else sorted(statement.committed)) == committed
    assert f"{statement.at:%Y-%m-%dT%H:%M:%S.%fZ}" == says.pop("at")
    assert {name: getattr(statement, name) for name in says} == says
    assert write_file(read_file(raw)) == raw


@named(VECTORS["accepted"])
def test_file_when_good_then_the_server_agrees(row: Row) -> None:
    """The server's own parsers, written apart, open the same checkpoint, reach the same quorum, and find the same leaf in the tree."""
    statement, policy = (
        check_file(row["file"].encode(), policy_of(row)),
        quorum.parse_policy(VECTORS["policies"][row["policy"]].encode()),
    )
    logs, witnesses = ([peer.verifier for peer in peers] for peers in (policy.logs, policy.witnesses))
    head = notes.open_cosigned(statement.head.note, logs, statement.head.checkpoint.origin, witnesses)
    assert policy.reached(head.cosigned_at)
    assert {one.name: at for one, at in head.cosigned_at.items()} == row["says"]["witnesses"]
    path = split_proof(row["file"].encode()).path
    tree.check_inclusion(statement.index, head.checkpoint.size, statement.leaf_hash, path, head.checkpoint.root)


def meaning(statement: Statement) -> Statement:
    """Return what a statement says, without the text of its checkpoint, where lines of unknown keys may stand."""
    return replace(statement, head=replace(statement.head, note=""))


def test_file_when_any_bit_is_flipped_then_never_with_another_meaning() -> None:
    """Every bit of a small file in turn: it is refused, or (in what nobody signs or reads) says the same."""
    raw, policy = SMALL["file"].encode(), policy_of(SMALL)
    before, unheard = meaning(check_file(raw, policy)), 0
    for at in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[at // 8] ^= 1 << at % 8
        try:
            after = meaning(check_file(bytes(flipped), policy))
        except ReceiptBroken:
            continue
        unheard += 1
        assert after == before, at
    assert unheard == 0, "every byte of this file is signed, hashed or of the form"


@pytest.mark.parametrize("name", ["a processor's, with values", "a third witness is carried"])
def test_file_when_a_byte_is_taken_or_put_in_then_never_with_another_meaning(name: str) -> None:
    """One byte less, one more, two neighbours swapped: at every eleventh place."""
    raw, policy = GOOD[name]["file"].encode(), policy_of(GOOD[name])
    before = meaning(check_file(raw, policy))
    for at in range(0, len(raw) - 1, 11):
        swapped = raw[:at] + raw[at + 1 : at + 2] + raw[at : at + 1] + raw[at + 2 :]
        for changed in (raw[:at] + raw[at + 1 :], raw[:at] + b"A" + raw[at:], raw[:at] + b"\n" + raw[at:], swapped):
            try:
                assert meaning(check_file(changed, policy)) == before
            except ReceiptBroken:
                continue


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["fields", "h", "k", "v", "a"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(JSON, JSON, st.none() | JSON)
def test_read_when_extra_holds_anything_then_our_own_error_or_its_one_spelling(opening: Any, salts: Any, values: Any) -> None:
    """Whatever JSON stands in extra, the reader raises its own error, or gives back what is written the same."""
    members = {"opening": opening, "v": 1, "value_salts": salts} | ({} if values is None else {"values": values})
    try:
        extra = rfc8785.dumps(members)
    except rfc8785.CanonicalizationError:
        return
    raw = f"c2sp.org/tlog-proof@v1\nextra {b64encode(extra).decode()}\nindex 0\n\nnote".encode()
    try:
        held = read_file(raw)
    except ReceiptBroken:
        return
    assert write_file(held) == raw
    with pytest.raises(ReceiptBroken):
        check_file(raw, policy_of(SMALL))


@given(st.binary(max_size=200))
def test_read_when_bytes_are_anything_then_our_own_error(noise: bytes) -> None:
    """No bytes make the reader raise another error than its own, at the beginning, in extra, among the hashes or in the note."""
    raw = SMALL["file"].encode()
    line = raw.split(b"\n")[1]
    tried = [
        noise,
        raw.replace(line, noise),
        raw.replace(line, b"extra " + b64encode(noise)),
        raw.replace(b"\n\n", b"\n" + noise + b"\n", 1),
        raw + noise,
    ]
    for each in tried:
        if each != raw:
            with pytest.raises(ReceiptBroken):
                check_file(each, policy_of(SMALL))


def test_read_when_larger_than_a_receipt_then_refused_unread() -> None:
    """A file of many megabytes, an extra of more than one, a note of more than one: refused by their size."""
    head, gap, note = SMALL["file"].encode().partition(b"\n\n")
    deep = b'{"opening":' + b"[" * 100_000 + b"]" * 100_000 + b',"v":1}'
    for each in (
        b"x" * 20_000_000,
        head + gap + note + b"x" * 1_000_000,
        b"c2sp.org/tlog-proof@v1\nextra "
        + b64encode(b'{"opening":{"a":"' + b"x" * 1_000_000 + b'"},"v":1}')
        + b"\nindex 0"
        + gap
        + note,
        b"c2sp.org/tlog-proof@v1\nextra " + b64encode(deep) + b"\nindex 0" + gap + note,
    ):
        with pytest.raises(ReceiptBroken):
            check_file(each, policy_of(SMALL))


def test_statement_when_shown_then_no_value_and_no_salt_in_its_repr() -> None:
    """What was read from a file prints no personal value."""
    row = GOOD["a processor's, with values"]
    held, statement = read_file(row["file"].encode()), check_file(row["file"].encode(), policy_of(row))
    text = f"{held!r} {statement!r}"
    secrets = ["Exemple", "1990", *b64decode(row["file"].split("\n")[1][6:]).decode().split('"value_salts"')[1].split('"')[3:4]]
    assert [one for one in secrets if one in text] == []
