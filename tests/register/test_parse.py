"""``register.toml``: every fault with its line and mend, then what a good one means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.register import AttributeType, Category, Fault, RegisterMap, RegisterMapInvalid, Sensitivity, parse_register

pytestmark = pytest.mark.unit

GOOD = """\
[register]
id = "ofii"
name = "Registre des étrangers\u00a0: 2026"
subject_table = "person"
[table.person]
name = "registre.personne"
key = ["departement", "numero"]
[table.contact]
name = "registre.coordonnees"
key = ["dep", "num"]
current = "actuelle"
[attribute.family_name]
table = "person"
column = "nom"
type = "text"
category = "identity"
sensitivity = "ordinary"
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "where", "why"),
    [
        ("[register]", "[register", 1, "register.toml", "Expected ']' at the end of a table declaration"),
        ('id = "ofii"', 'id = "OFII"', 2, "register.id", "not a name"),
        ('id = "ofii"\n', "", 1, "register.id", "missing"),
        ('name = "Registre des étrangers\u00a0: 2026"', 'name = "a\\u0007"', 3, "register.name", "not a plain text"),
        ('subject_table = "person"', 'subject_table = "persn"', 4, "register.subject_table", 'unknown table "persn"'),
        ('subject_table = "person"', 'subject_table = "person"\nsince = 1', 5, "register.since", 'unknown key "since"'),
        ("[table.person]", '[table."Per son"]', 5, "table.Per son", "not an alias"),
        ('"registre.personne"', '"personne"', 6, "table.person.name", "not schema.table"),
        ('"registre.personne"', '"a.b.c"', 6, "table.person.name", "not schema.table"),
        ('"registre.personne"', '"registre.x; drop table y"', 6, "table.person.name", "not schema.table"),
        ('key = ["departement", "numero"]\n', "", 5, "table.person.key", "missing"),
        ('key = ["departement", "numero"]', "key = []", 7, "table.person.key", "not a list of columns"),
        ('key = ["departement", "numero"]', 'key = [\n"a",\n"B"]', 9, "table.person.key.1", "not a column name"),
        ('key = ["departement", "numero"]', 'key = ["a", "a"]', 7, "table.person.key.1", '"a" is named twice'),
        ('["dep", "num"]', '["num"]', 10, "table.contact.key", 'has 1 columns, the key of "person" has 2'),
        ('current = "actuelle"', 'current = "num"', 11, "table.contact.current", "is a key column"),
        ('current = "actuelle"', 'curent = "actuelle"', 11, "table.contact.curent", 'unknown key "curent"'),
        ("[attribute.family_name]", "[attribute.Name]", 12, "attribute.Name", "not a name"),
        ('table = "person"\n', 'table = "people"\n', 13, "attribute.family_name.table", 'unknown table "people"'),
        ('column = "nom"', "column = 'nom\"'", 14, "attribute.family_name.column", "not a column name"),
        ('column = "nom"\n', "", 12, "attribute.family_name.column", "missing"),
        ('type = "text"', 'type = "txt"', 15, "attribute.family_name.type", 'unknown type "txt"'),
        ('type = "text"', "type = 1", 15, "attribute.family_name.type", "not a plain text"),
        ('"identity"', '"secret"', 16, "attribute.family_name.category", 'unknown category "secret"'),
        ('"ordinary"', '"low"', 17, "attribute.family_name.sensitivity", 'unknown sensitivity "low"'),
    ],
)
def test_parse_when_one_thing_is_wrong_then_its_line_and_reason(old: str, new: str, line: int, where: str, why: str) -> None:
    """One mistake is reported at its line with its reason and a mend."""
    assert GOOD.count(old) >= 1
    position = GOOD.rfind(old) if old.startswith("table =") else GOOD.find(old)
    with pytest.raises(RegisterMapInvalid) as refused:
        parse_register(GOOD[:position] + new + GOOD[position + len(old) :])
    fault = next(fault for fault in refused.value.faults if fault.where == where)
    assert (fault.line, fault.why) == (line, why)
    assert fault.mend


def test_parse_when_much_is_wrong_then_all_of_it_in_order() -> None:
    """All faults are told at once, in the order of their lines."""
    text = GOOD.replace('"ofii"', '"OFII"').replace('"text"', '"txt"').replace('"ordinary"', '"ordinry"')
    with pytest.raises(RegisterMapInvalid) as refused:
        parse_register(text)
    assert [(fault.line, fault.mend) for fault in refused.value.faults] == [
        (2, "Use 2 to 63 of a-z, 0-9, _ and -, a letter first"),
        (15, 'Did you mean "text"?'),
        (17, 'Did you mean "ordinary"?'),
    ]
    assert str(refused.value).splitlines()[1] == ('line 15: attribute.family_name.type: unknown type "txt". Did you mean "text"?')


def test_parse_when_a_column_is_mapped_twice_then_refused() -> None:
    """One field has one name, or a contract could name it in two forms."""
    twin = GOOD[GOOD.index("[attribute.family_name]") :].replace("family_name", "birth_name")
    with pytest.raises(RegisterMapInvalid) as refused:
        parse_register(GOOD + twin)
    (fault,) = refused.value.faults
    assert (fault.line, fault.why) == (20, '"registre.personne.nom" is already attribute "family_name"')


@pytest.mark.parametrize(
    "text", ["", "a = 1", "register = 1\ntable = []\nattribute = 'x'", "[table]\nperson = 1\n[attribute]\nname = 2"]
)
def test_parse_when_hardly_a_map_then_refused(text: str) -> None:
    """What lacks its tables, or has something else in their place, is refused."""
    with pytest.raises(RegisterMapInvalid):
        parse_register(text)


def test_parse_when_good_then_the_map() -> None:
    """A good file becomes a map."""
    register = parse_register(GOOD)
    assert (register.id, register.name, register.subject_table) == ("ofii", "Registre des étrangers\u00a0: 2026", "person")
    assert register.subject.key == ("departement", "numero")
    assert (register.tables["person"].current, register.tables["contact"].current) == (None, "actuelle")
    attribute = register.attributes["family_name"]
    assert (attribute.name, attribute.table, attribute.column) == ("family_name", "person", "nom")
    assert (attribute.type, attribute.category, attribute.sensitivity) == (
        AttributeType.TEXT,
        Category.IDENTITY,
        Sensitivity.ORDINARY,
    )


def test_map_when_parsed_then_it_can_not_change() -> None:
    """A map is shared by all requests: nobody can add to it."""
    register = parse_register(GOOD)
    with pytest.raises(TypeError):
        register.tables["other"] = register.subject  # type: ignore[index]
    with pytest.raises(AttributeError):
        register.id = "other"  # type: ignore[misc]


LINES = GOOD.splitlines()


@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=20)), max_size=20))
def test_parse_when_any_text_then_a_map_or_its_own_error(lines: list[str]) -> None:
    """Whatever the file holds, the answer is a map or faults with lines."""
    text = "\n".join(lines)
    try:
        outcome: RegisterMap | tuple[Fault, ...] = parse_register(text)
    except RegisterMapInvalid as refused:
        outcome = refused.faults
    assert outcome
    assert isinstance(outcome, RegisterMap) or all(1 <= fault.line <= text.count("\n") + 1 for fault in outcome)
