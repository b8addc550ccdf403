"""Forms: each gives what its name says and never more."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.contracts import FORMS_OF, Form
from ecluse.contracts.model import RESERVED_FORMS
from ecluse.disclosure.minimise import WITHHELD, age_band, initial, mask_email, mask_identifier, mask_phone, minimise, normal
from ecluse.register import AttributeType

pytestmark = pytest.mark.unit

TODAY = date(2026, 1, 5)
HELD_BACK = (Form.WITHHELD, WITHHELD)


@pytest.mark.parametrize(
    ("kind", "form", "value", "given"),
    [
        (AttributeType.TEXT, Form.FULL, "Ada Exemple", "Ada Exemple"),
        (AttributeType.TEXT, Form.INITIAL, "Ada", "A."),
        (AttributeType.DATE, Form.FULL, date(1990, 2, 3), "1990-02-03"),
        (AttributeType.DATE, Form.YEAR, date(1990, 2, 3), 1990),
        (AttributeType.DATE, Form.AGE_BAND, date(1990, 2, 3), "35-44"),
        (AttributeType.EMAIL, Form.FULL, "ada@example.org", "ada@example.org"),
        (AttributeType.EMAIL, Form.MASKED, "ada@example.org", "a***@example.org"),
        (AttributeType.PHONE, Form.FULL, "01 99 00 12 34", "01 99 00 12 34"),
        (AttributeType.PHONE, Form.MASKED, "01 99 00 12 34", "***34"),
        (AttributeType.IDENTIFIER, Form.FULL, "AB1234567", "AB1234567"),
        (AttributeType.IDENTIFIER, Form.MASKED, "AB1234567", "***567"),
        (AttributeType.CODE, Form.FULL, "fr", "fr"),
    ],
)
def test_minimise_when_a_value_is_there_then_in_its_form(
    kind: AttributeType, form: Form, value: str | date, given: str | int
) -> None:
    """Each form of each type gives exactly what decision 0001 says."""
    assert minimise(kind, form, value, TODAY) == (form, given)


@pytest.mark.parametrize(
    ("kind", "form", "value"),
    [
        (AttributeType.TEXT, Form.INITIAL, "Ł"),
        (AttributeType.TEXT, Form.INITIAL, ""),
        (AttributeType.EMAIL, Form.MASKED, "no address"),
        (AttributeType.EMAIL, Form.MASKED, "@example.org"),
        (AttributeType.PHONE, Form.MASKED, "12345"),
        (AttributeType.IDENTIFIER, Form.MASKED, "A123456"),
        *[(kind, Form.WITHHELD, "x") for kind in AttributeType if kind is not AttributeType.DATE],
        (AttributeType.DATE, Form.WITHHELD, date(1990, 2, 3)),
        (AttributeType.EMAIL, Form.RELAY, "ada@example.org"),
        (AttributeType.PHONE, Form.RELAY, "01 99 00 12 34"),
    ],
)
def test_minimise_when_the_form_would_say_too_much_then_withheld(kind: AttributeType, form: Form, value: str | date) -> None:
    """Where a form would give the value itself, or nothing stands for it yet, the value is held back."""
    assert minimise(kind, form, value, TODAY) == HELD_BACK


@pytest.mark.parametrize("kind", list(AttributeType))
def test_minimise_when_the_register_has_no_value_then_null_in_any_form_that_gives(kind: AttributeType) -> None:
    """A missing value is told as null in every form but those that hold back, so that its absence looks alike."""
    for form in FORMS_OF[kind]:
        given = minimise(kind, form, None, TODAY)
        assert given == (HELD_BACK if form in {Form.WITHHELD, Form.RELAY} else (form, None))


@pytest.mark.parametrize("kind", list(AttributeType))
def test_minimise_when_the_type_lacks_the_form_then_a_bug(kind: AttributeType) -> None:
    """A form that the contract's check would have refused is never guessed at."""
    value = date(1990, 2, 3) if kind is AttributeType.DATE else "some text"
    for form in set(Form) - set(FORMS_OF[kind]) - {Form.RELAY}:
        with pytest.raises(AssertionError, match="impossible"):
            minimise(kind, form, value, TODAY)
    assert RESERVED_FORMS & set(FORMS_OF[kind]) == set()


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("Ada", "A."),
        ("  Ada", "A."),
        ("Élodie", "É."),
        (unicodedata.normalize("NFD", "Élodie"), "É."),
        ("Ł", None),
        (" Ł ", None),
        (unicodedata.normalize("NFD", "É"), None),  # two characters, one grapheme
        ("नी", None),
        ("नीता", "नी."),
        ("李", None),
        ("李明", "李."),
        ("", None),
        ("   ", None),
    ],
)
def test_initial_when_a_name_is_short_or_composed_then_its_first_grapheme_or_nothing(name: str, given: str | None) -> None:
    """An initial is the first grapheme; a name of one grapheme has none."""
    assert initial(name) == given


@pytest.mark.parametrize("name", ["각", "한", unicodedata.normalize("NFD", "각"), "x\u200dy", "क\u093e\u0902"])
def test_initial_when_a_name_is_one_grapheme_of_many_characters_then_withheld(name: str) -> None:
    """What a reader sees as one sign is one: composed Hangul, joined signs, letters with their marks."""
    assert initial(name) is None


@pytest.mark.parametrize(
    ("born_on", "today", "band"),
    [
        (date(2011, 1, 6), TODAY, "0-14"),
        (date(2011, 1, 5), TODAY, "15-17"),  # fifteen today
        (date(2008, 1, 6), TODAY, "15-17"),
        (date(2008, 1, 5), TODAY, "18-24"),
        (date(2001, 1, 5), TODAY, "25-34"),
        (date(1991, 1, 5), TODAY, "35-44"),
        (date(1981, 1, 5), TODAY, "45-54"),
        (date(1971, 1, 5), TODAY, "55-64"),
        (date(1961, 1, 6), TODAY, "55-64"),
        (date(1961, 1, 5), TODAY, "65+"),
        (date(2008, 2, 29), date(2026, 2, 28), "15-17"),  # born on a leap day: a year older on 1 March
        (date(2008, 2, 29), date(2026, 3, 1), "18-24"),
        (date(2027, 1, 1), TODAY, "0-14"),  # not born yet: a register's mistake, not a crash
    ],
)
def test_age_band_when_at_a_birthday_then_the_age_reached(born_on: date, today: date, band: str) -> None:
    """A band changes on the birthday."""
    assert age_band(born_on, today) == band


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("ada@example.org", "a***@example.org"),
        ("a@example.org", "***@example.org"),
        ("ab@example.org", "a***@example.org"),
        ('"a@b"@example.org', '"***@example.org'),
        ("ada@", "a***@"),
        ("@example.org", None),
        ("ada", None),
        ("", None),
    ],
)
def test_email_when_masked_then_one_character_and_the_domain(address: str, masked: str | None) -> None:
    """Of the local part one character is left, and none of a part of one character."""
    assert mask_email(address) == masked


@pytest.mark.parametrize(
    ("number", "masked"),
    [("123456", "***56"), ("12345", None), ("+33 1 99 00 12 34", "***34"), ("", None), ("no digits at all", None)],
)
def test_phone_when_masked_then_two_digits_of_six_or_more(number: str, masked: str | None) -> None:
    """Two digits of a number of at least six."""
    assert mask_phone(number) == masked


@pytest.mark.parametrize(("text", "masked"), [("12345678", "***678"), ("1234567", None), (" 1234567 ", None), ("", None)])
def test_identifier_when_masked_then_three_characters_of_eight_or_more(text: str, masked: str | None) -> None:
    """Three characters of an identifier of at least eight."""
    assert mask_identifier(text) == masked


TEXTS = st.text(max_size=30)
WEAK_TEXT_FORMS = [
    (AttributeType.TEXT, Form.INITIAL),
    (AttributeType.EMAIL, Form.MASKED),
    (AttributeType.PHONE, Form.MASKED),
    (AttributeType.IDENTIFIER, Form.MASKED),
]


@given(st.sampled_from(WEAK_TEXT_FORMS), TEXTS | st.emails() | st.from_regex(r"[0-9 +]{0,14}", fullmatch=True))
def test_weak_form_when_any_text_then_it_never_gives_the_value_away(what: tuple[AttributeType, Form], value: str) -> None:
    """A weaker form of any text is withheld or differs from the value, and tells few of its characters."""
    kind, form = what
    given_form, given_value = minimise(kind, form, value, TODAY)
    if given_value is WITHHELD:
        assert given_form is Form.WITHHELD
        return
    assert given_form is form
    assert isinstance(given_value, str)
    assert normal(AttributeType.TEXT, given_value) != normal(AttributeType.TEXT, value)
    kept = given_value.removesuffix(".") if form is Form.INITIAL else given_value.replace("***", "", 1)
    local = kept.split("@")[0] if kind is AttributeType.EMAIL else kept
    assert (
        kind is AttributeType.TEXT
        or len(local) <= {AttributeType.EMAIL: 1, AttributeType.PHONE: 2, AttributeType.IDENTIFIER: 3}[kind]
    )


@given(TEXTS)
def test_initial_when_any_name_then_a_true_beginning_of_it(name: str) -> None:
    """An initial is a beginning of the name as it is composed, shorter than the whole."""
    given_initial = initial(name)
    composed = unicodedata.normalize("NFC", name).strip()
    if given_initial is not None:
        letter = given_initial.removesuffix(".")
        assert composed.startswith(letter)
        assert len(letter) < len(composed)


@given(st.dates(), st.dates(min_value=date(1900, 1, 1)))
def test_year_and_band_when_any_date_then_no_day_or_month(born_on: date, today: date) -> None:
    """Neither a year nor a band tells the day or the month: another day of that age gives the same."""
    assert minimise(AttributeType.DATE, Form.YEAR, born_on, today)[1] == born_on.year
    assert re.fullmatch(r"\d\d?-\d\d|65\+", age_band(born_on, today))


@given(TEXTS, st.sampled_from([kind for kind in AttributeType if kind is not AttributeType.DATE]))
def test_normal_when_blanks_surround_then_the_same(value: str, kind: AttributeType) -> None:
    """Blanks around a value do not count, whatever it is."""
    once = normal(kind, value)
    assert normal(kind, f"  {value}\t") == once
    assert isinstance(once, str)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (AttributeType.TEXT, "  ÉLODIE\u00a0 de  Ville ", "élodie de ville"),
        (AttributeType.TEXT, "\uff21da", "ada"),
        (AttributeType.TEXT, "Stra\u00dfe", "strasse"),
        (AttributeType.PHONE, "+33 (0)1 99-00", "33019900"),
        (AttributeType.DATE, 1990, 1990),
        (AttributeType.TEXT, None, None),
    ],
)
def test_normal_when_spelled_otherwise_then_one_spelling(kind: AttributeType, value: object, expected: object) -> None:
    """Normal form 1 as decision 0001 has it."""
    assert normal(kind, value) == expected


def test_today_when_near_midnight_then_the_utc_day_counts() -> None:
    """The day of a decision is its UTC day: a band changes at UTC midnight, not at the controller's."""
    at = datetime(2026, 1, 4, 23, 30, tzinfo=UTC)
    assert age_band(date(2008, 1, 5), at.date()) == "15-17"
