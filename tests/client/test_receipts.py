"""Receipts: what breaks one, and that the server's own arithmetic and ours agree."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.client.calls import read_disclosed, read_receipt
from ecluse.client.errors import AnswerInvalid, ReceiptBroken
from ecluse.client.receipts import LAYOUTS, field_digest, open_entry, root_of
from ecluse.ledger import fields

pytestmark = pytest.mark.unit

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcz", max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.binary(min_size=32, max_size=32), JSON)
def test_field_digest_when_the_server_computes_it_then_the_same(salt: bytes, value: object) -> None:
    """Two implementations agree on every value."""
    assert field_digest("detail", salt, value) == fields.field_digest("detail", salt, value)  # type: ignore[arg-type]


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40))
def test_root_of_when_the_server_computes_it_then_the_same(digests: list[bytes]) -> None:
    """Two implementations agree on every tree."""
    assert root_of(digests) == fields.fold_digests(digests)


def test_check_when_any_hex_digit_of_the_receipt_changes_then_broken(gate) -> None:
    """There is no digit in a receipt, shown or hidden, that can be changed."""
    answer = gate.disclosure("apt_a", "agt_a", ["family_name", "phone"])
    read_disclosed(answer, "apt_a", "agt_a")
    text = json.dumps({name: answer["receipt"][name] for name in ("leaf_hash", "opening", "value_salts")})
    places = [at for at, sign in enumerate(text) if sign in "0123456789abcdef"][::7]
    for at in places:
        changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
        receipt = {"log": answer["receipt"]["log"], "index": answer["receipt"]["index"], **json.loads(changed)}
        with pytest.raises((ReceiptBroken, AnswerInvalid)):
            read_disclosed(answer | {"receipt": receipt}, "apt_a", "agt_a")


def test_check_when_of_another_question_then_broken(gate) -> None:
    """A good receipt of another appointment or agent is not ours."""
    answer = gate.disclosure("apt_a", "agt_a", ["phone"])
    for appointment, agent in (("apt_b", "agt_a"), ("apt_a", "agt_b")):
        with pytest.raises(ReceiptBroken):
            read_disclosed(answer, appointment, agent)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("v", 2),
        ("v", True),
        ("k", "control"),
        ("h", "2026-01-05T10Z"),
        ("h", 5),
        ("fields", []),
        ("fields", ["0" * 64] * 300),
        ("x", 1),
    ],
)
def test_open_when_the_opening_is_of_another_shape_then_broken(gate, member: str, value: object) -> None:
    """Version, kind, hour and fields are what they must be."""
    receipt = copy.deepcopy(gate.disclosure("apt_a", "agt_a", ["phone"])["receipt"])
    receipt["opening"][member] = value
    with pytest.raises(ReceiptBroken):
        open_entry(read_receipt(receipt).opening)


@given(JSON)
def test_open_when_fields_are_anything_then_our_own_error(thing: object) -> None:
    """No opening makes the checker raise another error than its own."""
    opening = {"v": 1, "k": "decision", "h": "2026-01-05T09Z", "fields": [thing]}
    with pytest.raises(ReceiptBroken):
        open_entry(opening)  # type: ignore[arg-type] # anything that JSON can hold


@pytest.mark.parametrize("name", ["forms", "values", "processor", "agent", "later"])
def test_open_when_a_field_stands_twice_then_neither_place_is_taken(name: str) -> None:
    """An entry with two fields of one name, each shown to another holder, would tell two stories: only one of them stands in its place."""
    pairs = [(each, {} if each in {"forms", "values"} else "x") for each in LAYOUTS["disclosure:person:granted"]]
    pairs[:2] = [("at", "2026-01-05T09:30:00.000000Z"), ("event", "disclosure:person:granted")]
    place = next((n for n, (each, _) in enumerate(pairs) if each == name), len(pairs) - 1)
    pairs.insert(place + 1, (name, "another story"))
    shown = [[each, "00" * 32, value] for each, value in pairs]
    opening = {"v": 1, "k": "decision", "h": "2026-01-05T09Z"}
    second = [field if n in {0, 1, place + 1} else "11" * 32 for n, field in enumerate(shown)]
    if name == "later":
        assert open_entry(opening | {"fields": second})[1]["later"] == "another story"
        return
    with pytest.raises(ReceiptBroken, match="place"):
        open_entry(opening | {"fields": second})
