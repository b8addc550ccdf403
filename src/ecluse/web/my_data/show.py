"""A page of a record, as the person it is about reads it: by day and by who received, newest first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from itertools import groupby

from ecluse.usage.model import Line
from ecluse.web.my_data.model import Day, Receiver, Shown
from ecluse.web.my_data.words import KINDS, OTHER_KIND, OWN_LOOK, SURE, say_given, say_law
from ecluse.web.pages.language import N_, Tongue

Place = tuple[int, int]
OWN = {"page": N_("You"), "portal": N_("You, or the website of the administration")}
"""Who looked, where it was no organisation."""


def write_place(place: Place) -> str:
    """Write a line's place as addresses name it: log and entry."""
    return f"{place[0]}-{place[1]}"


def read_place(text: str | None) -> Place | None:
    """Read a place in its one spelling; None for any other text."""
    log_id, _, index = (text or "").partition("-")
    if not all(each.isascii() and each.isdecimal() and len(each) <= 18 for each in (log_id, index)):
        return None
    place = int(log_id), int(index)
    return place if write_place(place) == text and 0 < place[0] < 2**15 else None


def show_line(line: Line, place: Place, tongue: Tongue) -> Shown:
    """Say one line."""
    given, not_given = say_given(line.attributes, tongue)
    law, reference = say_law(line.legal_basis, tongue)
    kind = OWN_LOOK if line.receiver_system == "page" else KINDS.get(line.kind, OTHER_KIND)
    sure = SURE.get(line.assurance or "")
    return Shown(
        place=write_place(place), at=line.logtime, what=tongue.say(kind), purpose=line.purpose_text or "", given=given, not_given=not_given,
        law=law, law_reference=reference, contract=line.contract_reference or "", sure="" if sure is None else tongue.say(sure),
        held_until=line.hidden_until, held_reason=line.hidden_reason or "", proof=line.proof is not None,
    )  # fmt: skip


def group(lines: Sequence[Line], places: Sequence[Place], zone: tzinfo, tongue: Tongue) -> list[Day]:
    """Put lines together by day, in the controller's zone, and within it by who received, in the order of their newest lines."""
    told = list(zip(lines, places, strict=True))
    days = []
    for day, of_day in groupby(told, key=lambda each: each[0].logtime.astimezone(zone).date()):
        days.append(Day(key=f"d{day:%Y-%m-%d}", on=day, receivers=_receivers(of_day, tongue)))
    return days


def _receivers(told: Iterable[tuple[Line, Place]], tongue: Tongue) -> list[Receiver]:
    found: dict[tuple[str, str], list[tuple[Line, Place]]] = {}
    for line, place in told:
        found.setdefault((line.receiver_system, line.receiver_name), []).append((line, place))
    return [
        Receiver(
            name=tongue.say(OWN[system]) if system in OWN else name,
            number=_number(of_receiver[0][0], system),
            own=of_receiver[0][0].receiver_code == "controller",
            lines=[show_line(line, place, tongue) for line, place in of_receiver],
        )
        for (system, name), of_receiver in found.items()
    ]


def _number(line: Line, system: str) -> str:
    """Return the business number of an organisation: its id here is none."""
    return line.receiver_code if line.receiver_code not in {"controller", system} else ""
