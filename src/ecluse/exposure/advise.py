"""Which single changes of a contract could lower what is in reach. Pure: it proposes, the engine measures, a person decides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import msgspec

from ecluse.contracts import Contract, Form, Limits, Purpose
from ecluse.contracts.diff import duration_text

_BEFORE: Final = (timedelta(hours=24), timedelta(hours=2), timedelta(minutes=30))
_AFTER: Final = (timedelta(hours=2), timedelta(minutes=30))
_HEADROOM: Final = 1.1
"""A ceiling that is proposed leaves a tenth above what was planned, for the substitute and the walk-in."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """The most distinct persons whom the schedule holds in one UTC day, and in one UTC month, of those around now."""

    day: int
    month: int


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """One change: where in the file, what it says now, what it would say; and the contract with it."""

    where: str
    before: str
    after: str
    contract: Contract


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """A change with its effect, each number now and with the change.

    ``values``: persons x attributes in reach at the busiest instant ahead; ``scheduler``: persons whom the scheduler's key as well would reach in 30 days.
    """

    processor: str
    where: str
    before: str
    after: str
    values: int
    values_after: int
    scheduler: int
    scheduler_after: int

    @property
    def gain(self) -> float:
        """Return the larger of the two shares that the change takes away."""
        return max(_share(self.values, self.values_after), _share(self.scheduler, self.scheduler_after))


def _share(before: int, after: int) -> float:
    return (before - after) / before if before else 0.0


def proposals(contract: Contract, planned: Planned) -> Iterator[Proposed]:
    """Propose changes one by one: windows, ceilings down to what is planned, attributes left out."""
    for purpose in contract.purposes.values():
        for name, times in (("opens_before", _BEFORE), ("closes_after", _AFTER)):
            was: timedelta = getattr(purpose, name)
            for length in times:
                if length < was:
                    yield _of_purpose(contract, purpose, name, duration_text(was), duration_text(length), {name: length})
        for attribute, form in purpose.attributes.items():
            if form is not Form.WITHHELD:
                rest = {**purpose.attributes, attribute: Form.WITHHELD}
                sheet = {one: shown for one, shown in purpose.sheet.items() if one != attribute}
                yield _of_purpose(
                    contract, purpose, f"attributes.{attribute}", form.value, "withheld", {"attributes": rest, "sheet": sheet}
                )
    for name, most in (("persons_per_day", planned.day), ("persons_per_month", planned.month)):
        limit, needed = getattr(contract.limits, name), max(1, round(most * _HEADROOM))
        if needed < limit:
            limits: Limits = msgspec.structs.replace(contract.limits, **{name: needed})
            changed = msgspec.structs.replace(contract, limits=limits)
            yield Proposed(where=f"limits.{name}", before=str(limit), after=str(needed), contract=changed)


def _of_purpose(contract: Contract, purpose: Purpose, name: str, before: str, after: str, change: dict[str, object]) -> Proposed:
    """Put one change of a purpose into the contract."""
    changed = msgspec.structs.replace(purpose, **change)
    return Proposed(
        where=f"{purpose.id}.{name}", before=before, after=after,
        contract=msgspec.structs.replace(contract, purposes={**contract.purposes, purpose.id: changed}),
    )  # fmt: skip
