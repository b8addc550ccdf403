"""A person, a roll-call and a refusal as the desk shows them, from what the door answered. Pure; a refusal has the caller's own facts, never a person's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale

from ecluse.contracts import Form
from ecluse.disclosure import Delivery, Denied
from ecluse.papers.model import Language as PaperLanguage
from ecluse.papers.words import Words
from ecluse.policy import Reason
from ecluse.register import AttributeType
from ecluse.schedule.staff import StaffPlace
from ecluse.web.desk.model import Contacts, FormLine, Person, PlaceLine, Refusal, Seal, SheetRow, Value
from ecluse.web.desk.today import Clockwork, reasons_of
from ecluse.web.pages.language import Language
from ecluse.web.pages.show import LOCALES, show_day

_MARK: Final = 4
_FRESH: Final = frozenset({Reason.VALUE_CHANGED, Reason.KEY_REUSED})
_UNITS: Final = {"agent-per-hour": "h", "client-per-hour": "h", "processor-per-day": "d", "processor-per-month": "m"}


def mark_of(enrolment: str) -> str:
    """Return the short sign by which a learner is recognised on all dates of a course: it stands for nobody outside of this processor."""
    return enrolment[-_MARK - 1 : -1].upper()


def place_lines(places: Sequence[StaffPlace], reads: int) -> tuple[PlaceLine, ...]:
    """Number the places of a session. ``reads``: how often each may be opened."""
    return tuple(
        PlaceLine(
            number=number, mark=mark_of(place.enrolment), handle=place.id, left=max(0, reads - place.reads), course=place.course,
            attendance=place.attendance or "", level=place.level or "",
        )
        for number, place in enumerate(places, 1)
    )  # fmt: skip


class Labels:
    """How attributes and their values are said to one reader. ``kinds``: the register's attributes and their types."""

    def __init__(self, kinds: Mapping[str, AttributeType], language: Language) -> None:
        """Speak ``language``."""
        self._kinds, self._language = kinds, language
        self._words = Words(PaperLanguage(language), ZoneInfo("UTC"))
        self._locale = Locale.parse(LOCALES[language])

    def of(self, attribute: str) -> str:
        """Return what an attribute is called, to begin a line with."""
        name = self._words.attribute(attribute)
        return name[:1].upper() + name[1:]

    def forms(self, forms: Mapping[str, Form]) -> tuple[FormLine, ...]:
        """List what the contract names, in its order."""
        return tuple(FormLine(label=self.of(name), form=form.value) for name, form in forms.items() if form is not Form.WITHHELD)

    def value(self, attribute: str, form: str, value: object) -> Value:
        """Show one value: a day as a day, a code in words."""
        label = self.of(attribute)
        if value is None:
            return Value(label=label, form=form, text=None)
        text, kind = str(value), self._kinds.get(attribute)
        if kind is AttributeType.DATE and form == Form.FULL:
            return Value(label=label, form=form, text=show_day(datetime.fromisoformat(text).date(), self._language))
        word = self._word(attribute, text) if kind is AttributeType.CODE else None
        return Value(label=label, form=form, text=word or text, code=text if word else "")

    def _word(self, attribute: str, code: str) -> str | None:
        """Return the name of a language or a country, by its code."""
        if attribute.endswith("language"):
            return self._locale.languages.get(code) or self._locale.languages.get(code.replace("-", "_"))
        return self._locale.territories.get(code.upper()) if attribute == "nationality" and len(code) == 2 else None


def show_person(
    delivery: Delivery, order: Sequence[str], labels: Labels, clockwork: Clockwork, site: str, *, agent: str, seconds: int, again: bool
) -> Person:  # fmt: skip
    """Show one person. ``order``: the attributes as the contract lists them."""
    known = [name for name in order if name in delivery.forms]
    return Person(
        values=tuple(labels.value(name, delivery.forms[name], delivery.subject[name]) for name in known if name in delivery.subject),
        withheld=tuple(labels.of(name) for name in known if name not in delivery.subject),
        agent=agent, at=clockwork.hour(clockwork.now, site), closes=clockwork.hour(delivery.closes_at, site), closes_at=delivery.closes_at,
        now=clockwork.now, seconds=seconds, seal=Seal(entry=delivery.index, disclosure=delivery.disclosure, again=again),
    )  # fmt: skip


def sheet_rows(
    places: Sequence[PlaceLine], deliveries: Sequence[Delivery], order: Sequence[str], labels: Labels
) -> tuple[SheetRow, ...]:
    """List a roll-call's lines in the order of the places."""
    by_handle = {delivery.appointment: delivery for delivery in deliveries}
    return tuple(
        SheetRow(
            number=place.number,
            mark=place.mark,
            texts=tuple(
                labels.value(name, found.forms[name], found.subject[name]).text if name in found.subject else None
                for name in order
            ),
        )
        for place in places
        if (found := by_handle.get(place.handle)) is not None
    )


def show_refusal(denied: Denied, contacts: Contacts, clockwork: Clockwork, site: str) -> Refusal:
    """Say why nobody is shown, from what the door tells the caller."""
    told = denied.told
    opens, closes = _instant(told.get("opens_at")), _instant(told.get("closes_at"))
    budget = str(told.get("budget", ""))
    renews = _renews(_UNITS[budget], clockwork.now) if budget in _UNITS else None
    return Refusal(
        code=denied.reason.value, contacts=contacts, opens=clockwork.hour(opens, site) if opens else "",
        closes=clockwork.hour(closes, site) if closes else "", early=opens is not None and clockwork.now < opens,
        cancelled=told.get("cancelled") is True, budget=budget, renews=clockwork.hour(renews, site) if renews else "",
        scope=str(told.get("scope", "")), reasons=reasons_of(_texts(told.get("reasons")), clockwork.language),
        fresh=denied.reason in _FRESH or budget == "redelivery", seal=Seal(entry=denied.index, disclosure=denied.disclosure),
    )  # fmt: skip


def _instant(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _texts(found: object) -> list[str]:
    return [str(each) for each in found] if isinstance(found, list | tuple) else []


def _renews(unit: str, now: datetime) -> datetime:
    """Return when the hour, day or month (UTC) of a ceiling is over."""
    at = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if unit == "h":
        return at + timedelta(hours=1)
    at = at.replace(hour=0)
    return at + timedelta(days=1) if unit == "d" else (at.replace(day=1) + timedelta(days=32)).replace(day=1)
