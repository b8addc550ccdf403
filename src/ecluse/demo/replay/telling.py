"""The replay told: a table that a person reads in ten seconds, what the thief has, and what the agency could have said. Pure: rows and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from ecluse.demo.replay.model import Account, Attacked, Found, Kind, Told

CLAIMED: Final = 2_100_000
"""Persons whom the thief of January 2026 claimed to have."""

HEADS: Final = ("attack", "against", "persons", "attributes", "bound", "first alarm")
TITLES: Final = {
    Kind.MACHINE_KEY: "stolen machine key, 24 hours",
    Kind.TOKEN: "stolen token without its key",
    Kind.AGENT: "malicious agent, 24 hours",
    Kind.PROCESSOR: "compromised processor, {days} days",
    Kind.ENUMERATION: "enumeration of handles",
    Kind.RACE: "replays and races, 1 agent's hour",
    Kind.COLLUSION: "two colluding processors, 2 days",
    Kind.SCHEDULER: "scheduler's key and processor, 1 day",
    Kind.CANCELLED: "cancelled schedule",
    Kind.HISTORY: "edited history (persons hidden)",
}
WAYS: Final = {
    Attacked.ECLUSE: "Écluse",
    Attacked.COPY: "full copy",
    Attacked.ACCOUNT: "read account",
    Attacked.ROWS: "row-level security",
    Attacked.API: "token API",
}
NO_ALARM: Final = "none"
_ORDER: Final = (Attacked.COPY, Attacked.ACCOUNT, Attacked.ROWS, Attacked.API, Attacked.ECLUSE)
_AFTERWARDS: Final = {
    Attacked.COPY: "nothing",
    Attacked.ACCOUNT: "nothing, unless logged",
    Attacked.ROWS: "who was due",
    Attacked.API: "which numbers, if logged",
    Attacked.ECLUSE: "who, what, when, by whom",
}


def rows_of(account: Account) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table."""
    days = (account.to_at - account.from_at).days
    for one in account.attacks:
        yield (
            TITLES[one.attack].format(days=days), WAYS[one.alternative], f"{one.persons:,}" + _span(one), str(one.attributes), bound_of(one),
            NO_ALARM if one.alarm is None else f"{one.alarm:,.0f} s",
        )  # fmt: skip


def _span(found: Found) -> str:
    """Return in which time it was, where that is not the attack's own: the token API is enumerated for some seconds."""
    return f" in {found.more['seconds_of_trying']:.0f} s" if found.alternative is Attacked.API else ""


def _rest(found: Found) -> str:
    """Return when it would be all, at the pace of those seconds."""
    if found.alternative is not Attacked.API:
        return ""
    hours = float(found.more["hours_for_all"])
    return f", all in {hours * 60:,.0f} min" if hours < 1 else f", all in {hours:,.0f} h"


def bound_of(found: Found) -> str:
    """Write a bound with its side."""
    if found.bound is None:
        return "none"
    return f"{found.bound:,}" if found.exact else f"≤ {found.bound:,}"


def asides(account: Account) -> Iterator[str]:
    """Yield what the table has no column for, a sentence each."""
    by = {(one.attack, one.alternative): one for one in account.attacks}
    history = by.get((Kind.HISTORY, Attacked.ECLUSE))
    if history is not None:
        told = "; ".join(f"{name.partition(',')[0]}: {who}" for name, who in history.more.items())
        yield f"Edited history, who found it: {told}."
    api = by.get((Kind.PROCESSOR, Attacked.API))
    if api is not None:
        yield (
            f"The token API was enumerated for {api.more['seconds_of_trying']:.0f} s: {api.more['tried']:,} numbers tried. That all would follow is worked "
            f"out at that pace, over {api.more['numbers_in_all']:,} numbers."
        )
    enumeration = by.get((Kind.ENUMERATION, Attacked.ECLUSE))
    if enumeration is not None:
        yield f"Of {enumeration.more['handles']:,} handles that were tried, {enumeration.more['answered_429']:,} were answered 429 unread."
    rows = by.get((Kind.PROCESSOR, Attacked.ROWS))
    if rows is not None:
        yield (
            "Row-level security by schedule holds this thief to the same persons as Écluse, but in full, and keeps no record. Its bound is the schedule, which "
            "nothing bounds."
        )
    yield "First alarm: none anywhere. Écluse's watch does not exist yet."
    yield "Bounds were computed before each attack: a number is exact, ≤ is one that nobody passes."


def missed(account: Account) -> Iterator[str]:
    """Yield each exact bound that was not reached: attacker or engine could do better."""
    for one in account.attacks:
        if one.exact and not one.reached and not one.wrong:
            yield f"{one.attack}: {one.persons:,} persons obtained, though {one.bound:,} are said to be there"


def thieves_of(account: Account) -> list[tuple[str, ...]]:
    """Return the rows of what the compromised processor has, by how it was given access."""
    by = {one.alternative: one for one in account.attacks if one.attack is Kind.PROCESSOR}
    return [
        (
            WAYS[way], f"{one.persons:,}" + _span(one) + _rest(one), _attributes(one), f"{one.values:,}", _AFTERWARDS[way],
        )
        for way in _ORDER
        if (one := by.get(way)) is not None
    ]  # fmt: skip


THIEF_HEADS: Final = ("access given by", "persons", "attributes", "persons x attributes", "the agency can say")


def day_of(at: datetime) -> str:
    """Write a day for people."""
    return f"{at.day} {at:%B %Y}"


def _attributes(found: Found) -> str:
    """Say how many attributes, and in which forms."""
    weaker = sorted({form for form in found.forms.values() if form != "full"})
    full = sum(form == "full" for form in found.forms.values())
    return f"{full} in full" + (f", {found.attributes - full} as {', '.join(weaker)}" if weaker else "")


def ratio_of(account: Account) -> str:
    """State the ratio of a copy to Écluse, with what it assumes; empty where one of them was not attacked."""
    by = {one.alternative: one for one in account.attacks if one.attack is Kind.PROCESSOR}
    copy, ours = by.get(Attacked.COPY), by.get(Attacked.ECLUSE)
    if copy is None or ours is None or not ours.persons:
        return ""
    return (
        f"Copy : Écluse = {copy.persons / ours.persons:,.0f} : 1 in persons, {copy.values / ours.values:,.0f} : 1 in persons x attributes. It assumes "
        f"{account.a_day:,} persons due a working day at this processor, each once, windows of 24 hours before to 2 hours after, and a thief who takes all "
        "of them from the first day on. With fewer people due it is larger, with a longer compromise smaller."
    )


def told_of(account: Account) -> Iterator[str]:
    """Yield what Écluse could have told the agency on the day of publication, a sentence each."""
    told = account.told
    if told is None:
        return
    forms = ", ".join(f"{name} ({' or '.join(given)})" for name, given in told.forms.items())
    yield f"{told.name} was given the data of {told.persons:,} distinct persons, and of nobody else."
    yield f"Of each at most: {forms or 'nothing'}. Never: {', '.join(told.never)}."
    if told.first is not None and told.last is not None:
        first, last = (f"{day_of(at)} at {at:%H:%M} UTC" for at in (told.first, told.last))
        yield f"The first on {first}, the last on {last}; which person, by which agent, at which instant, is in the ledger."
    yield _refuted(told)
    yield (
        f"The ledger's {told.entries:,} entries were recomputed and found whole: nothing was taken out of them."
        if told.sound
        else "The ledger was not found whole: say so, and look at `ecluse ledger fsck`."
    )


def _refuted(told: Told) -> str:
    """Say what becomes of a claim."""
    if told.persons >= CLAIMED:
        return f"A claim of {CLAIMED:,} persons could not be refuted."
    return (
        f"A claim of {CLAIMED:,} persons is refuted as far as this way goes: at most {told.persons:,}, {told.persons / CLAIMED:.2%} of it, came "
        "through Écluse. What flows past it Écluse can't see."
    )


def verdict(account: Account) -> Sequence[str]:
    """Return what must not be, loudly; empty: every attack stayed within what was said before it."""
    return [f"WRONG  {line}" for line in account.wrong]
