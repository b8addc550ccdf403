"""What the person's page says of a line, how lines are put together, and what the files hold: without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ecluse.settings import Controller
from ecluse.usage.model import Given, Language, Line
from ecluse.usage.say import _ASSURANCES, _BASES, _FORMS, _KINDS
from ecluse.web.my_data.authority import contacts_of
from ecluse.web.my_data.model import EntryPage, Pages, RecordPage
from ecluse.web.my_data.show import group, read_place, show_line, write_place
from ecluse.web.my_data.take_away import harmless, write_csv
from ecluse.web.my_data.words import ATTRIBUTES, FORMS, KINDS, LAWS, SURE, name_of, say_given, say_law
from ecluse.web.pages.language import Tongue
from tests.web.pages.contexts import assert_page
from tests.web.pages.texts import faults

pytestmark = pytest.mark.unit

PARIS: Final = ZoneInfo("Europe/Paris")
EN, FR = Tongue("en"), Tongue("fr")


def given(attribute: str, form: str) -> Given:
    """Write one attribute."""
    return Given(attribute=attribute, form=form, form_text="")


def line(**changes: Any) -> Line:
    """Write a good line, changed."""
    good: dict[str, Any] = {
        "logtime": datetime(2026, 1, 5, 9, tzinfo=UTC), "action": "", "receiver_code": "732829320", "receiver_name": "Lyon Formation",
        "receiver_system": "lyon-formation", "log_source_system": "Register", "kind": "disclosure", "purpose": "civic-training",
        "purpose_text": "Civic training", "attributes": [given("birth_date", "year")], "legal_basis": "6.1.e", "legal_basis_text": "",
        "contract_reference": "2026-1", "delivery": "", "assurance": "asserted", "assurance_text": "", "hidden_until": None, "hidden_reason": None,
        "proof": "c2sp.org/tlog-proof@v1\n",
    }  # fmt: skip
    return Line(**(good | changes))


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_words_when_a_code_is_known_to_the_record_then_it_is_said_here_too() -> None:
    """Kinds of lines, forms, laws and assurances of the record have words on the page."""
    assert set(_KINDS.values()) == set(KINDS)
    assert set(_FORMS) == set(FORMS) | {"withheld"}
    assert set(_BASES) == set(LAWS)
    assert set(_ASSURANCES) == set(SURE)


def test_texts_when_read_then_none_of_this_room_is_missing_or_stale() -> None:
    """The room's catalogue says every text, and no other."""
    assert [fault for fault in faults("fr") if "my_data" in fault] == []


@pytest.mark.parametrize(
    ("attribute", "form", "english", "french"),
    [
        ("birth_date", "year", "Year of birth only", "Année de naissance seulement"),
        ("birth_date", "full", "Date of birth", "Date de naissance"),
        ("email", "masked", "E-mail address: partly hidden", "Adresse électronique\u00a0: caché en partie"),
        ("shoe_size", "full", "Shoe size", "Shoe size"),
        ("shoe_size", "of-later", "Shoe size: of-later", "Shoe size\u00a0: of-later"),
    ],
)
def test_given_when_said_then_in_plain_words(attribute: str, form: str, english: str, french: str) -> None:
    """One thing and its form are one phrase; what has no word of ours is called as in the register."""
    assert say_given([given(attribute, form)], EN) == ([english], [])
    assert say_given([given(attribute, form)], FR) == ([french], [])


def test_given_when_withheld_then_among_what_stayed_hidden() -> None:
    """What was not given is not among what was."""
    assert say_given([given("phone", "withheld"), given("family_name", "initial")], EN) == (
        ["First letter of the family name only"],
        ["Phone number"],
    )


def test_law_when_of_none_known_or_later_then_said_as_it_is() -> None:
    """No law, one of Art. 6, and one of a later contract format."""
    assert say_law(None, EN) == ("", "")
    assert say_law("6.1.e", EN) == ("It is needed for a public service", "GDPR, Article 6(1)(e)")
    assert say_law("9.2.h", EN) == ("", "9.2.h")


def test_attributes_when_named_then_the_french_differ_from_the_english() -> None:
    """Every word for a piece of data is translated."""
    alike = {"nationality"} - {"nationality"}
    assert {name for name in ATTRIBUTES if name_of(name, EN) == name_of(name, FR)} == alike


# ── lines ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "text", [None, "", "1", "-", "1-", "-1", "0-1", "01-1", "1-01", "1-1 ", "1-٣", "32768-1", "1-" + "9" * 19, "+1-1"]
)
def test_place_when_not_in_its_one_spelling_then_none(text: str | None) -> None:
    """What no page of ours writes is no place."""
    assert read_place(text) is None


def test_place_when_written_then_read_as_it_was() -> None:
    """The first and the last place there can be."""
    for place in ((1, 0), (32767, 10**18 - 1)):
        assert read_place(write_place(place)) == place


def test_line_when_of_every_kind_then_names_no_code() -> None:
    """Each kind is said in a sentence; one of a later version too; the own look is told from the portal's."""
    said = {show_line(line(kind=kind), (1, 1), EN).what for kind in (*KINDS, "of-later")}
    assert len(said) == len(KINDS) + 1
    assert (
        show_line(line(kind="record-shown", receiver_system="page"), (1, 1), EN).what == "You looked at this list, on this page."
    )


def test_line_when_nothing_is_known_of_it_then_empty_and_no_fault() -> None:
    """A line without purpose, law, contract or assurance shows none."""
    shown = show_line(
        line(purpose_text=None, legal_basis=None, contract_reference=None, assurance=None, attributes=[], proof=None), (1, 2), FR
    )
    assert (shown.purpose, shown.law, shown.law_reference, shown.contract, shown.sure, shown.proof) == ("", "", "", "", "", False)


def test_lines_when_around_midnight_then_by_the_controllers_day_and_by_receiver() -> None:
    """23:30 in UTC is the next day in Paris; within a day lines of one organisation stand together, newest first."""
    lines = [
        line(logtime=datetime(2026, 1, 5, 23, 30, tzinfo=UTC)),
        line(logtime=datetime(2026, 1, 5, 12, tzinfo=UTC), receiver_system="aix", receiver_name="Aix", receiver_code="aix"),
        line(logtime=datetime(2026, 1, 5, 11, tzinfo=UTC)),
        line(logtime=datetime(2026, 1, 5, 10, tzinfo=UTC), receiver_system="aix", receiver_name="Aix", receiver_code="aix"),
    ]
    days = group(lines, [(1, 4), (1, 3), (1, 2), (1, 1)], PARIS, EN)
    assert [day.on for day in days] == [date(2026, 1, 6), date(2026, 1, 5)]
    assert [(receiver.name, receiver.number, [each.place for each in receiver.lines]) for receiver in days[1].receivers] == [
        ("Aix", "", ["1-3", "1-1"]),
        ("Lyon Formation", "732829320", ["1-2"]),
    ]


def test_lines_when_the_reader_or_the_agency_looked_then_no_organisation() -> None:
    """The own look is the reader's; an officer's and an emergency's bear the agency's name, and nobody's."""
    own = [
        line(receiver_system=system, receiver_code="controller", receiver_name="Agency")
        for system in ("page", "portal", "officer")
    ]
    (day,) = group(own, [(1, 3), (1, 2), (1, 1)], PARIS, EN)
    assert [(receiver.name, receiver.number, receiver.own) for receiver in day.receivers] == [
        ("You", "", True),
        ("You, or the website of the administration", "", True),
        ("Agency", "", True),
    ]


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "=cmd|' /C calc'!A0"])
def test_cell_when_a_spreadsheet_could_run_it_then_text(cell: str) -> None:
    """What begins like a formula gets an apostrophe."""
    assert harmless(cell) == f"'{cell}"


def test_table_when_written_then_one_row_a_line_parted_as_the_language_does() -> None:
    """Names with quotes, separators and line ends stay in their cell."""
    lines = [line(receiver_name='=A";B,\nC')]
    french = write_csv(lines, ["1-1"], FR).decode("utf-8-sig")
    assert french.startswith("Date et heure (UTC);Organisme;")
    assert '"\'=A"";B,\nC"' in french
    assert french.endswith(";1-1\r\n")
    assert write_csv(lines, ["1-1"], EN).decode("utf-8-sig").startswith("Date and time (UTC),Organisation,")


# ── whom to write to ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_authority_when_named_by_the_installation_or_the_country_then_that_one() -> None:
    """The installation's word wins; France has its authority; of other countries there is the board's list."""
    assert contacts_of(Controller(), FR).authority.name.startswith("CNIL")
    assert (
        contacts_of(Controller(authority="APD <x>"), FR).authority == contacts_of(Controller(authority="APD <x>"), EN).authority
    )
    assert contacts_of(Controller(country="BE"), EN).authority.site.startswith("https://www.edpb.europa.eu/")


def test_contexts_when_compared_with_their_templates_then_alike() -> None:
    """Each page shows what its context has, and nothing else."""
    contacts = contacts_of(Controller(), FR)
    assert_page("my_data/entry.html", EntryPage(state="new", contacts=contacts))
    assert_page(
        "my_data/record.html",
        RecordPage(
            register="Register", days=group([line()], [(1, 1)], PARIS, FR), total=1, until=datetime(2026, 1, 5, 9, tzinfo=UTC),
            ends_at=datetime(2026, 1, 5, 10, tzinfo=UTC), idle_seconds=900, vkeys=["k"], pages=Pages(newer=None, older=None, said=""),
            contacts=contacts,
        ),
    )  # fmt: skip


def test_languages_when_compared_then_the_record_speaks_those_of_the_pages() -> None:
    """Whoever adds a language to the pages adds it to the record."""
    assert [each.value for each in Language] == ["fr", "en"]
    assert msgspec.convert("fr", Language) is Language.FRENCH
