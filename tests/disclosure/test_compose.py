"""Entries: what a processor is shown opens to the leaf, hides what it must, and is canonical JSON."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ecluse.contracts import Assurance, Form, parse_contract
from ecluse.contracts.gate import Gate, GateState
from ecluse.disclosure.compose import (
    SALTS,
    FingerprintKey,
    compose_grant,
    compose_refusal,
    fingerprint,
    give,
    opening_of,
    release,
    value_digest,
    value_salt,
)
from ecluse.disclosure.model import Plan
from ecluse.ledger import Event, canonical, leaf_hash
from ecluse.ledger.fields import FIELDS
from ecluse.policy import Ask, Granted, Place, Reason, Terms
from ecluse.register import AttributeType
from tests.e2e.outsider import check_receipt, recomputed_leaf_hash, shown_fields
from tests.invented import ATTRIBUTES, contract_text

pytestmark = pytest.mark.unit

AT = datetime(2026, 1, 5, 9, 30, 0, 123456, tzinfo=UTC)
KEY = FingerprintKey(version=7, secret=bytes(range(32)))
KINDS = {name: AttributeType(kind) for name, (_, _, kind) in ATTRIBUTES.items()}
TERMS = Terms(
    contract=parse_contract(contract_text("lyon"), KINDS),
    version=3,
    hash="ab" * 32,
    gate=Gate(state=GateState.OPEN, reasons=(), valid_from=AT, valid_until=AT + timedelta(days=1), told_from=AT, told_until=AT),
)
ASK = Ask(
    processor="lyon",
    client="cli_x",
    agent="agt_x",
    assurance=Assurance.ASSERTED,
    appointment="apt_x",
    attributes=("birth_date", "family_name", "given_name"),
)
PLACE = Place(
    purpose="civic-training",
    session="ses_x",
    starts_at=AT,
    ends_at=AT,
    subject_ref="ofii:1042",
    cancelled=False,
    roster=None,
    holds=(),
)
GRANTED = Granted(
    valid_from=AT, valid_until=AT + timedelta(hours=1), closes_at=AT + timedelta(hours=2), rules=("agent", "window")
)
ROW: dict[str, str | date | None] = {"family_name": "Exemple", "given_name": "Ø", "birth_date": date(1990, 2, 3)}
SALT = bytes(n % 251 for n in range(SALTS))
DISCLOSURE = "dsc_x"


def granted(**changes: Any) -> Plan:
    """Compose the grant of one person."""
    facts: dict[str, Any] = {"ask": ASK, "salts": SALT, "row": ROW, **changes}
    forms = TERMS.contract.purposes["civic-training"].attributes
    return compose_grant(
        facts["ask"], PLACE, TERMS, GRANTED, at=AT, disclosure=DISCLOSURE, event=Event.PERSON_GRANTED,
        given=give(facts["ask"], forms, KINDS, facts["row"], AT.date()), kinds=KINDS, key=KEY, salts=facts["salts"],
    )  # fmt: skip


def refused(place: Place | None = PLACE, terms: Terms | None = TERMS) -> Plan:
    """Compose a refusal."""
    return compose_refusal(
        ASK,
        place,
        terms,
        Reason.NOT_DISCLOSABLE,
        ("handle:unknown",),
        {},
        at=AT,
        disclosure=DISCLOSURE,
        event=Event.PERSON_REFUSED,
        salts=SALT,
    )


def wire(plan: Plan) -> Any:
    """Return a plan's opening as it arrives at the processor."""
    return json.loads(msgspec.json.encode(opening_of(plan)))


def test_give_when_a_form_withholds_then_absent_from_the_subject_and_named_in_the_forms() -> None:
    """Only what is asked is given; a withheld attribute stands in the forms alone."""
    given_person = give(
        ASK, TERMS.contract.purposes["civic-training"].attributes, KINDS, {**ROW, "email": "x@example.org"}, AT.date()
    )
    assert given_person.subject == {"birth_date": 1990, "family_name": "Exemple"}
    assert given_person.forms == {"birth_date": "year", "family_name": "full", "given_name": "withheld"}


def test_grant_when_composed_then_its_fields_are_those_of_the_decision_in_their_order() -> None:
    """A grant's entry has its fields in the order of decision 0001, with these values."""
    fields = dict(granted().fields)
    names = [name for name, _ in granted().fields]
    assert names == [name for name in FIELDS if name in names]
    assert {"attributes", "reason", "reasons", "actor", "object", "detail", "count"} & set(names) == set()
    assert fields["at"] == "2026-01-05T09:30:00.123456Z"
    assert fields["subject"] == "ofii:1042"
    assert fields["contract"] == {"hash": "ab" * 32, "reference": "2026-T-001", "version": 3}
    assert fields["interval"] == ("2026-01-05T09:30:00.123456Z", "2026-01-05T10:30:00.123456Z")
    assert set(fields["values"]) == {"birth_date", "family_name"}  # type: ignore[call-overload] # a map


def test_grant_when_opened_by_its_processor_then_recomputes_the_leaf() -> None:
    """What the processor is shown, with the digests of what it is not, gives the leaf that is sealed."""
    plan = granted()
    assert recomputed_leaf_hash(wire(plan)) == leaf_hash(plan.committed.leaf).hex()
    assert plan.committed.leaf.startswith(b'{"c":"')
    assert plan.committed.leaf.endswith(b'","h":"2026-01-05T09Z","k":"decision","v":1}')


def test_grant_when_shown_then_neither_subject_nor_fingerprints_nor_rules() -> None:
    """A processor sees its own fields; the register's reference, the fingerprints and the rules are digests to it."""
    opening = wire(granted())
    assert list(shown_fields(opening)) == [
        "at", "event", "disclosure", "processor", "client", "agent", "assurance", "appointment", "purpose", "legal_basis", "contract", "forms", "values",
    ]  # fmt: skip
    assert sum(isinstance(field, str) for field in opening["fields"]) == 4
    assert "1042" not in json.dumps(opening)


def test_grant_when_sealed_then_no_value_stands_in_the_entry() -> None:
    """The entry commits to the values by salted digests: the values themselves are nowhere in it."""
    plan = granted()
    assert "Exemple" not in plan.committed.fields
    assert "1990" not in plan.committed.fields
    assert "Exemple" not in repr(release(sealed(plan)))


def sealed(plan: Plan) -> Plan:
    """Say that a plan was sealed at index 4."""
    plan.index = 4
    return plan


def test_release_when_not_sealed_then_a_bug() -> None:
    """Nothing is released that has no index, and no refusal ever is."""
    with pytest.raises(AssertionError, match="without a seal"):
        release(granted())
    with pytest.raises(AssertionError, match="without a seal"):
        release(sealed(refused()))


def test_release_when_sealed_then_a_receipt_that_a_stranger_can_check() -> None:
    """What is released carries the salts that open each value's digest."""
    delivery = release(sealed(granted()))
    receipt = {"opening": delivery.opening, "leaf_hash": delivery.leaf_hash, "value_salts": delivery.value_salts}
    answer = json.loads(msgspec.json.encode({"subject": delivery.subject, "receipt": receipt}))
    assert check_receipt(answer)["disclosure"] == DISCLOSURE
    answer["subject"]["birth_date"] = 1991
    with pytest.raises(AssertionError):
        check_receipt(answer)


@pytest.mark.parametrize(("place", "terms"), [(None, TERMS), (None, None), (PLACE, None), (PLACE, TERMS)])
def test_refusal_when_shown_then_the_same_shape_whatever_was_known(place: Place | None, terms: Terms | None) -> None:
    """An unknown handle, one without contract and a known one are refused in entries of one shape, of which the same eight fields are shown."""
    opening = wire(refused(place, terms))
    assert list(shown_fields(opening)) == [
        "at",
        "event",
        "disclosure",
        "processor",
        "client",
        "appointment",
        "attributes",
        "reason",
    ]
    assert len(opening["fields"]) == 14
    assert recomputed_leaf_hash(opening) == leaf_hash(refused(place, terms).committed.leaf).hex()
    assert json.dumps(opening) != json.dumps(wire(granted()))


def test_salts_when_drawn_then_enough_for_every_field_there_is() -> None:
    """One draw of random bytes serves the longest entry."""
    assert 32 * len(FIELDS) == SALTS


def test_value_salt_when_derived_then_of_key_disclosure_and_attribute() -> None:
    """A value's salt is the HMAC of decision 0001, written out, and another for each disclosure, attribute and key."""
    assert value_salt(KEY, "dsc_x", "email").hex() == "574ac0e1f56c0082b9c79c2eb04fbe3db51dc3984b6a0620054b28b66242733b"
    others = {value_salt(KEY, "dsc_y", "email"), value_salt(KEY, "dsc_x", "phone"), value_salt(KEY, "dsc_xe", "mail")}
    assert len({value_salt(KEY, "dsc_x", "email"), *others}) == 4


def test_value_digest_when_made_then_the_hash_of_the_decision() -> None:
    """A value's digest is the plain hash of decision 0001 over canonical JSON."""
    expected = sha256(b"ecluse/1/value/family_name\0" + bytes(32) + '"Élodie"'.encode()).hexdigest()
    assert value_digest("family_name", bytes(32), "Élodie") == expected


def test_fingerprint_when_spelled_otherwise_then_the_same_and_for_another_disclosure_another() -> None:
    """A fingerprint forgives spelling; it never links two disclosures of one value."""
    kind = AttributeType.TEXT
    same = {fingerprint(KEY, "dsc_x", "family_name", kind, text) for text in ("Élodie", " ÉLODIE ", "e\u0301lodie")}
    assert len(same) == 1
    assert fingerprint(KEY, "dsc_y", "family_name", kind, "Élodie") not in same


def test_key_when_printed_then_no_secret() -> None:
    """The fingerprint key's text shows its version only."""
    assert repr(KEY) == "FingerprintKey(version=7)"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz_09", max_size=6), inner, max_size=4),
    max_leaves=12,
)
"""The domain of field values: no floats; the names in a map are attributes and words of ours, so ASCII (RFC 8785 sorts others by UTF-16)."""


@given(VALUES)
def test_canonical_when_any_field_value_then_as_rfc_8785_has_it(value: Any) -> None:
    """On the domain of field values our bytes are those of another implementation of RFC 8785."""
    assert canonical(value) == rfc8785.dumps(value)


@given(st.text(max_size=40), st.text(max_size=40), st.dates(), st.binary(min_size=SALTS, max_size=SALTS))
def test_grant_when_any_values_then_its_receipt_can_be_checked(family: str, given_name: str, born_on: date, salts: bytes) -> None:
    """Whatever a register holds, the receipt opens, each value is committed to, and no text of length stands in the entry."""
    row = {"family_name": family, "given_name": given_name, "birth_date": born_on}
    delivery = release(sealed(granted(row=row, salts=salts)))
    receipt = {"opening": delivery.opening, "leaf_hash": delivery.leaf_hash, "value_salts": delivery.value_salts}
    check_receipt(json.loads(msgspec.json.encode({"subject": delivery.subject, "receipt": receipt})))
    assert set(delivery.forms) == set(ASK.attributes)
    assert delivery.forms["given_name"] in {Form.INITIAL, Form.WITHHELD}
