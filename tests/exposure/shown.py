"""Invented exposures to draw: what is in reach, days to come, compositions, comparisons."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ecluse.contracts import Form
from ecluse.exposure import Attribute, Binding, Count, Holder, Reach, Scope, Span
from ecluse.exposure.alternatives import Comparison, compare
from ecluse.exposure.series import Composition, OverTime, composition, days_ahead, over_time

AT = datetime(2026, 11, 29, 19, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def exactly(persons: int) -> Count:
    """Return a number that the best attack reaches."""
    return Count(most=persons, exact=True)


def at_most(persons: int) -> Count:
    """Return a number that nobody passes."""
    return Count(most=persons, exact=False)


def reach(persons: Count, *attributes: Attribute, processor: str = "firm", **more: Any) -> Reach:
    """Return what is in reach; without ``attributes`` a family name in full and a masked address."""
    given = attributes or (
        Attribute(name="family_name", forms=(Form.FULL,), sensitivity="ordinary", persons=persons),
        Attribute(name="email", forms=(Form.MASKED,), sensitivity="elevated", persons=persons),
    )
    given = tuple(one for one in given if one.persons.most)
    terms: dict[str, Any] = {
        "window": Span(begins=AT, ends=AT + 16 * DAY),
        "scheduled": persons.most,
        "binding": Binding.SCHEDULE,
        "until": AT + timedelta(hours=5) if persons.most else None,
    }
    return Reach(
        holder=Holder(scope=Scope.PROCESSOR, processor=processor),
        persons=persons,
        attributes=given,
        values=sum(one.persons.most for one in given),
        **(terms | more),
    )


def made_of(*reaches: Reach, one: bool = False, standing: bool = True, together: Count | None = None) -> Composition:
    """Return a composition of these, by their names with a capital letter."""
    return composition(
        reaches, names={it.holder.processor: it.holder.processor.title() for it in reaches}, together=together or exactly(0), at=AT,
        window=Span(begins=AT, ends=AT + 16 * DAY), standing=standing, one=one,
    )  # fmt: skip


def to_come(*days: tuple[Count, Count, Binding], ceiling: int = 400, name: str = "Firm") -> OverTime:
    """Return days to come: persons on each alone, from now on, and what binds."""
    found = [
        (reach(alone, window=span, binding=binding), reach(so_far, window=Span(begins=AT, ends=span.ends)))
        for span, (alone, so_far, binding) in zip(days_ahead(AT, len(days)), days, strict=True)
    ]
    return over_time(found, name=name, at=AT, ceiling=ceiling, processor="firm")


def beside(found: Reach, *, subjects: int = 2_100_000, standing: bool = True) -> Comparison:
    """Set what is in reach beside the alternatives, of a register of thirteen attributes of which the contract names two."""
    return compare(
        found, name="Firm", at=AT, standing=standing, subjects=subjects, mapped=13, contracted=["family_name", "email"]
    )
