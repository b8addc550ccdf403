"""A subject's reference has one spelling."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.register import RegisterMap, SubjectRefInvalid, Table, make_subject_ref, parse_subject_ref

pytestmark = pytest.mark.unit


def keyed(*key: str) -> RegisterMap:
    """Make a map whose subjects have this key."""
    table = Table(alias="person", name="registre.personne", key=key)
    return RegisterMap(id="ofii", name="Registre", subject_table="person", tables={"person": table}, attributes={})


SINGLE, DOUBLE = keyed("numero"), keyed("departement", "numero")


@pytest.mark.parametrize(
    ("ref", "register"),
    [
        ("", SINGLE),
        ("ofii", SINGLE),
        ("ofii:", SINGLE),
        ("other:1", SINGLE),
        ("OFII:1", SINGLE),
        (" ofii:1", SINGLE),
        ("ofii:1\n", SINGLE),
        ("ofii:\x00", SINGLE),
        ("ofii:\ud800", SINGLE),
        ("ofii:" + "1" * 196, SINGLE),
        ("ofii:75", DOUBLE),
        ('ofii:["75"]', DOUBLE),
        ('ofii:["75","1042","x"]', DOUBLE),
        ('ofii:["75", "1042"]', DOUBLE),
        ('ofii: ["75","1042"]', DOUBLE),
        ('ofii:["75",1042]', DOUBLE),
        ('ofii:["75",""]', DOUBLE),
        ('ofii:["75","\\u0031"]', DOUBLE),
        ('ofii:["75","\\u0007"]', DOUBLE),
        ('ofii:["75","a\\/b"]', DOUBLE),
        ('ofii:{"75":"1042"}', DOUBLE),
        ("ofii:" + "[" * 190, DOUBLE),
        ('ofii:["75","\\ud800"]', DOUBLE),
    ],
)
def test_ref_when_not_canonical_then_refused_without_repeating_it(ref: str, register: RegisterMap) -> None:
    """Another spelling, register or number of parts is refused, and the error does not repeat the key."""
    with pytest.raises(SubjectRefInvalid) as refused:
        parse_subject_ref(ref, register)
    assert "1042" not in str(refused.value)


@pytest.mark.parametrize("keys", [[], ["1", "2"], [""], ["\x7f"], ["x" * 196]])
def test_make_when_keys_do_not_fit_then_refused(keys: Sequence[str]) -> None:
    """No reference is made of keys that could not be read back."""
    with pytest.raises(SubjectRefInvalid):
        make_subject_ref(SINGLE, keys)


def test_ref_when_single_key_then_plain_text() -> None:
    """A key of one column stands as it is."""
    assert make_subject_ref(SINGLE, ["1042"]) == "ofii:1042"
    assert parse_subject_ref("ofii:1042", SINGLE) == ("1042",)
    assert parse_subject_ref("ofii:a:b", SINGLE) == ("a:b",)


def test_ref_when_composite_key_then_canonical_json() -> None:
    """A key of several columns is a canonical JSON array."""
    assert make_subject_ref(DOUBLE, ["75", 'é"\\1042']) == 'ofii:["75","é\\"\\\\1042"]'
    assert parse_subject_ref('ofii:["75","1042"]', DOUBLE) == ("75", "1042")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30), min_size=2, max_size=2))
def test_ref_when_made_then_read_back(keys: list[str]) -> None:
    """What is made of keys reads back as those keys."""
    assert parse_subject_ref(make_subject_ref(DOUBLE, keys), DOUBLE) == tuple(keys)
    assert parse_subject_ref(make_subject_ref(SINGLE, keys[:1]), SINGLE) == (keys[0],)


@given(st.text(max_size=40), st.sampled_from([SINGLE, DOUBLE]))
def test_ref_when_any_text_is_read_then_it_is_the_one_spelling(key: str, register: RegisterMap) -> None:
    """What is accepted is exactly what would be written."""
    try:
        keys = parse_subject_ref(f"ofii:{key}", register)
    except SubjectRefInvalid:
        return
    assert make_subject_ref(register, keys) == f"ofii:{key}"
