"""An agent's day, people and refusals as the desk shows them: pure builders, and the contexts against their templates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ecluse.contracts import Contract, Form, parse_contract
from ecluse.disclosure import Delivery, Denied
from ecluse.policy import Reason
from ecluse.register import parse_register
from ecluse.schedule.staff import StaffPlace, StaffSession
from ecluse.web.desk.model import (
    AttendancePage,
    CodePart,
    Contacts,
    GateLine,
    GateReason,
    PlacesPage,
    ProofPage,
    Refusal,
    Said,
    Seal,
    Sheet,
    SheetPage,
    State,
    Unsaid,
    WalkInPage,
)
from ecluse.web.desk.person import Labels, mark_of, place_lines, sheet_rows, show_person, show_refusal
from ecluse.web.desk.today import Clockwork, day_of, state_of
from ecluse.web.problems import PROBLEMS
from tests.invented import contract_text, register_toml
from tests.web.pages.contexts import assert_page

pytestmark = pytest.mark.unit

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PARIS = ZoneInfo("Europe/Paris")
KINDS = {name: attribute.type for name, attribute in parse_register(register_toml()).attributes.items()}
NOBODY = Contacts(phone="", agency="", security="")


def contract(**terms: object) -> Contract:
    """Return a contract; its one site is in Paris."""
    return parse_contract(contract_text("lyon", opens_before="PT2H", closes_after="PT1H", **terms), KINDS)  # type: ignore[arg-type]


def session(
    begins_in: timedelta, *, listed: bool | None = True, name: str = "a", site: str = "large", places: int | None = 3
) -> StaffSession:
    """Describe a session of two hours."""
    return StaffSession(
        id="ses_" + name * 26, purpose="civic-training", site=site, room="B2", starts_at=NOON + begins_in, ends_at=NOON + begins_in + 2 * HOUR,
        listed=listed, places=places,
    )  # fmt: skip


def clockwork(language: str = "en", now: datetime = NOON) -> Clockwork:
    """Tell the time of a Monday's noon (13:00 in Paris)."""
    return Clockwork(contract(), PARIS, language, now)  # type: ignore[arg-type]


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("begins_in", "state"),
    [
        (2 * HOUR + timedelta(microseconds=1), State.AHEAD),
        (2 * HOUR, State.OPEN),
        (timedelta(), State.RUNNING),
        (-2 * HOUR, State.ENDED),
        (-3 * HOUR, State.OVER),
    ],
)
def test_state_when_at_an_edge_then_half_open(begins_in: timedelta, state: State) -> None:
    """Window and session are half-open: what begins now has begun, what ends now is over."""
    assert state_of(session(begins_in), contract().purposes["civic-training"], NOON) is state


def test_state_when_the_purpose_is_not_contracted_then_outside() -> None:
    """A session whose purpose the contract in force does not name is said to be so, with its own times."""
    assert state_of(session(HOUR), None, NOON) is State.OUTSIDE
    assert Clockwork(None, PARIS, "en", NOON).line(session(HOUR)).state is State.OUTSIDE


def test_times_when_the_site_is_elsewhere_then_the_sites() -> None:
    """Times are those of the clock on the site's wall, and the zone is named where it is another than the agency's."""
    text = contract_text("lyon").replace('timezone = "Europe/Paris"', 'timezone = "Indian/Reunion"')
    there = Clockwork(parse_contract(text, KINDS), PARIS, "en", NOON).line(session(HOUR))
    here = clockwork().line(session(HOUR))
    assert (there.starts, there.ends, there.zone) == ("17:00", "19:00", "Indian/Reunion")
    assert (here.starts, here.ends, here.zone) == ("14:00", "16:00", "")
    assert clockwork("fr").line(session(HOUR)).starts == "14\u00a0h\u00a000"


def test_times_when_on_another_day_then_with_the_day() -> None:
    """An hour of another day names it: nobody waits for an hour that was yesterday's."""
    assert clockwork().line(session(20 * HOUR)).opens == "24 Nov 2026, 07:00"
    assert clockwork().line(session(HOUR)).opens == "12:00"


def test_day_when_made_then_running_first_over_last_and_nothing_twice() -> None:
    """What runs stands first, what is over last; a colleague's session is among the others; a session stands in one place only."""
    around = [
        session(-8 * HOUR, name="b"),
        session(HOUR, name="c"),
        session(-HOUR, name="d"),
        session(HOUR, listed=False, name="e"),
        session(-20 * HOUR, name="f"),
    ]
    ahead = [
        session(HOUR, name="c"),
        session(24 * HOUR, name="g", places=None),
        session(48 * HOUR, name="h", listed=None, places=None),
    ]
    page = day_of(clockwork(), around, ahead, None, NOBODY)
    assert [line.id[4] for line in page.mine] == ["d", "c", "b"]
    assert [line.id[4] for line in page.others] == ["e"]
    assert [[line.id[4] for line in day.sessions] for day in page.days] == [["g"], ["h"]]
    assert [day.day for day in page.days] == ["24 November 2026", "25 November 2026"]
    assert not page.cut
    assert_page("desk/today.html", page)


def test_day_when_a_night_session_began_yesterday_then_still_hers() -> None:
    """What began yesterday and runs is of today."""
    late = NOON.replace(hour=23, minute=30)  # 00:30 in Paris
    page = day_of(Clockwork(contract(), PARIS, "en", late), [session(10 * HOUR)], [], None, NOBODY)
    assert [line.state for line in page.mine] == [State.RUNNING]


# ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def delivery(subject: dict[str, object], forms: dict[str, str], handle: str = "apt_" + "a" * 26) -> Delivery:
    """Describe what the door delivered."""
    return Delivery(
        appointment=handle, processor="lyon", disclosure="dsc_" + "a" * 26, subject=subject, forms=forms, closes_at=NOON + 2 * HOUR, index=41,
        leaf_hash="", opening={}, value_salts={},
    )  # fmt: skip


def test_person_when_shown_then_in_the_contracts_order_and_in_words() -> None:
    """Days, languages and lacking values are said in words; what is withheld is named and not shown."""
    subject: dict[str, object] = {
        "birth_date": "1984-05-03",
        "preferred_language": "fa-AF",
        "family_name": "<b>Ō</b>",
        "file_number": None,
    }
    forms = {"birth_date": "full", "preferred_language": "full", "family_name": "full", "file_number": "masked", "email": "relay"}
    order = ("family_name", "email", "birth_date", "preferred_language", "file_number", "phone")
    person = show_person(
        delivery(subject, forms), order, Labels(KINDS, "en"), clockwork(), "large", agent="Ada", seconds=120, again=True
    )
    assert [(value.label, value.text, value.code) for value in person.values] == [
        ("Family name", "<b>Ō</b>", ""),
        ("Date of birth", "3 May 1984", ""),
        ("Preferred language", "Dari", "fa-AF"),
        ("File number", None, ""),
    ]
    assert person.withheld == ("E-mail address",)
    assert (person.at, person.closes, person.seal) == ("13:00", "15:00", Seal(entry=41, disclosure="dsc_" + "a" * 26, again=True))
    assert_page("desk/_person.html", person)


def test_delivery_when_printed_then_nothing_of_anybody() -> None:
    """What holds a person on its way to the page has no value in its representation."""
    assert "Ō" not in repr(delivery({"family_name": "Ō"}, {"family_name": "full"}))


def test_places_when_numbered_then_marks_and_what_is_left() -> None:
    """A place has a number, the mark of its course, and how often it may still be opened: never less than not at all."""
    some = [
        StaffPlace(id="apt_" + c * 26, enrolment="enr_" + "abcdefghijklmnopqrstuvwxyz", reads=reads, course=False, attendance=None, level=None)
        for c, reads in (("a", 0), ("b", 4), ("c", 9))
    ]  # fmt: skip
    lines = place_lines(some, 4)
    assert [(line.number, line.mark, line.left) for line in lines] == [(1, "VWXY", 4), (2, "VWXY", 0), (3, "VWXY", 0)]
    assert mark_of("enr_" + "a" * 26) == "AAAA"


def test_sheet_when_a_place_is_missing_then_the_others_keep_their_numbers() -> None:
    """A roll-call stands in the order of the places; what is withheld or lacking is an empty cell."""
    some = [
        StaffPlace(id="apt_" + c * 26, enrolment="enr_" + c * 26, reads=0, course=False, attendance=None, level=None)
        for c in "abc"
    ]
    given = [
        delivery({"family_name": "C"}, {"family_name": "full", "email": "withheld"}, "apt_" + "c" * 26),
        delivery({"family_name": None}, {"family_name": "full", "email": "withheld"}, "apt_" + "a" * 26),
    ]
    rows = sheet_rows(place_lines(some, 4), given, ["family_name", "email"], Labels(KINDS, "en"))
    assert [(row.number, row.texts) for row in rows] == [(1, (None, None)), (3, ("C", None))]


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def denied(reason: Reason, **told: object) -> Denied:
    """Describe a refusal of the door."""
    return Denied(reason=reason, told=told, disclosure="dsc_" + "a" * 26, index=7, leaf_hash="", opening={})


@pytest.mark.parametrize(
    ("budget", "renews"),
    [
        ("agent-per-hour", "14:00"),
        ("client-per-hour", "14:00"),
        ("processor-per-day", "24 Nov 2026, 01:00"),
        ("processor-per-month", "1 Dec 2026, 01:00"),
        ("reads-per-appointment", ""),
    ],
)
def test_refusal_when_a_ceiling_is_spent_then_when_it_begins_anew(budget: str, renews: str) -> None:
    """Ceilings are counted in UTC and told in the site's time."""
    now = clockwork(now=NOON + timedelta(minutes=30))
    refusal = show_refusal(denied(Reason.BUDGET_SPENT, budget=budget), NOBODY, now, "large")
    assert (refusal.renews, refusal.fresh) == (renews, False)


def test_refusal_when_outside_the_window_then_early_or_late() -> None:
    """The same reason says to come back, or that it is over."""
    times = {"opens_at": "2026-11-23T11:00:00Z", "closes_at": "2026-11-23T15:00:00Z"}
    late = show_refusal(denied(Reason.OUTSIDE_WINDOW, **times), NOBODY, clockwork(), "large")
    early = show_refusal(denied(Reason.OUTSIDE_WINDOW, **times), NOBODY, clockwork(now=NOON - 2 * HOUR), "large")
    assert ((late.early, late.opens, late.closes), early.early) == ((False, "12:00", "16:00"), True)


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("reason", list(Reason))
def test_refusal_when_any_reason_then_words_of_its_own(reason: Reason, language: str) -> None:
    """Each reason of the door has a heading and something to do, in each language, and none falls through to the last resort."""
    from ecluse.web.pages.frame import environment  # noqa: PLC0415 - templates are read here only

    page = show_refusal(denied(reason), NOBODY, clockwork(language), "large")
    text = environment(language).get_template("desk/_refused.html").render(page=page)  # type: ignore[arg-type]
    other = environment(language).get_template("desk/_refused.html").render(page=Refusal(code="busy", contacts=NOBODY))  # type: ignore[arg-type]
    heading = text.partition("<h3>")[2].partition("</h3>")[0]
    assert heading
    assert heading != other.partition("<h3>")[2].partition("</h3>")[0]
    assert reason.value in PROBLEMS


# ── contexts and templates ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_contexts_when_rendered_then_as_documented() -> None:
    """Each page shows the fields of its struct and no others."""
    line, now = clockwork().line(session(HOUR)), NOON
    labels = Labels(KINDS, "en")
    forms = labels.forms({"family_name": Form.FULL, "email": Form.WITHHELD})
    places = place_lines(
        [StaffPlace(id="apt_" + "a" * 26, enrolment="enr_" + "a" * 26, reads=1, course=True, attendance="late", level="A1")], 4
    )
    shared = {"session": line, "now": now, "bound": True, "contacts": NOBODY}
    reason = GateReason(what="w", mend="m", move="controller")
    for template, context in (
        ("desk/today.html", day_of(clockwork(), [session(HOUR)], [], GateLine(state="frozen", reasons=(reason,)), NOBODY)),
        ("desk/session.html", PlacesPage(places=places, reads=4, forms=forms, sheet=True, **shared)),
        ("desk/attendance.html", AttendancePage(places=places, open=True, until="18:00", sheet=False, **shared)),
        ("desk/sheet.html", SheetPage(places=1, sheet=forms, **shared)),
        ("desk/walk_in.html", WalkInPage(sheet=False, **shared)),
        ("desk/_refused.html", Refusal(code="gate-frozen", contacts=NOBODY, reasons=(reason,))),
        ("desk/_said.html", Said(recorded=("a",), failed=(Unsaid(mark="A", handle="b", code="not-found"),), at="13:00", contacts=NOBODY)),
        ("desk/_code.html", CodePart(groups=("1234", "5678"), until="14:00")),
        ("desk/proof.html", ProofPage(disclosure="dsc", log="l", entry=1, leaf="00", checkpoint="", hashes=("00",))),
        (
            "desk/_sheet.html",
            Sheet(
                session=line, columns=forms, rows=(), missing=("A",), agent="Ada", at="13:00", expires="15:00", closes_at=now, now=now, seconds=1,
                first=1, last=2,
            ),
        ),
    ):  # fmt: skip
        assert_page(template, context)
