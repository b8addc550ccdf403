"""The technical measures that Écluse itself enforces, with the figures of this installation and this contract. Pure.

Only what the code does is listed, and only where it is switched on: a log without witnesses does not say that it has some.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from ecluse.contracts import Assurance, Contract, Form, duration_text
from ecluse.papers.model import Control, Measure


class House(msgspec.Struct, frozen=True, kw_only=True):
    """What of the installation's settings a measure names."""

    origin: str
    public_url: str
    openings_months: int
    max_uncosigned: timedelta
    max_uncosigned_frozen: timedelta
    stamped: bool
    witnessed: bool


def measures_of(contract: Contract, house: House) -> Iterator[Measure]:
    """Yield the measures in force for one contract."""
    limits, purposes = contract.limits, contract.purposes.values()
    yield _said(Control.WINDOW, purposes="; ".join(
        f"{each.label}: {duration_text(each.opens_before)} / {duration_text(each.closes_after)}" for each in purposes
    ))  # fmt: skip
    weaker = sum(form not in {Form.FULL, Form.WITHHELD} for each in purposes for form in each.attributes.values())
    yield _said(Control.FORMS, attributes=sum(len(each.attributes) for each in purposes), weaker=weaker)
    yield _said(Control.BULK, capacity=max(each.max_capacity for each in purposes))
    yield _said(
        Control.BUDGETS, day=limits.persons_per_day, month=limits.persons_per_month, hour=limits.persons_per_client_per_hour,
        agent=max(each.persons_per_agent_per_hour for each in purposes), reads=max(each.reads_per_appointment for each in purposes),
    )  # fmt: skip
    yield _said(Control.KEY_BOUND)
    if limits.agent_assurance is Assurance.AUTHENTICATED:
        yield _said(Control.ASSURANCE)
    yield _said(Control.PSEUDONYMS)
    if house.public_url.startswith("https://"):
        yield _said(Control.TRANSIT, address=house.public_url)
    yield _said(Control.ENCRYPTED)
    yield _said(Control.SEALED, origin=house.origin)
    if house.witnessed:
        yield _said(
            Control.WITNESSED, warns=duration_text(house.max_uncosigned), freezes=duration_text(house.max_uncosigned_frozen)
        )
    if house.stamped:
        yield _said(Control.STAMPED)
    asked = "; ".join(f"{each.kind} ({each.max_age})" for each in contract.evidence_required)
    yield _said(Control.GATE, evidence=asked or "-")
    yield _said(Control.STOP)
    yield _said(Control.RETENTION, months=house.openings_months)
    yield _said(Control.NOTICE, hours=contract.breach_notice_hours)
    yield _said(Control.RIGHTS)


def _said(control: Control, **figures: str | int) -> Measure:
    return Measure(control=control, figures=figures)
