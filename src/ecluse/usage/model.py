"""What is asked of a person's record, what its lines hold, and the rules that hold lines back. All frozen; instants are aware, in UTC."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class Language(StrEnum):
    """The languages that lines are written in; new ones go last."""

    FRENCH = "fr"
    ENGLISH = "en"


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a record: ``[from_at, to_at)``; the lines after the one at ``before`` (log, index), newest first, at most ``most``."""

    from_at: datetime | None = None  # null: from the beginning
    to_at: datetime | None = None  # null: until now
    before: tuple[int, int] | None = None  # null: the first page
    most: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One look-up. ``slot`` and ``digest``: the proof of key that was spent for it."""

    client: str
    thumbprint: str
    slot: int
    digest: bytes
    subject: str
    span: Span
    visit: bytes | None = None  # null: the portal looks; else the person, in the visit of this digest

    def __repr__(self) -> str:
        """Show no person."""
        return f"Asked(client={self.client!r})"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time link to a person's own page. ``secret``: told once."""

    secret: str
    expires_at: datetime

    def __repr__(self) -> str:
        """Show no secret."""
        return f"Link({self.expires_at:%Y-%m-%dT%H:%MZ})"


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """A person who looks at their own page. ``until_at``: what its pages go up to; ``ends_at``: when it is over at the latest."""

    digest: bytes
    subject: str
    client: str
    thumbprint: str
    until_at: datetime
    ends_at: datetime

    def __repr__(self) -> str:
        """Show no person."""
        return f"Visit({self.ends_at:%Y-%m-%dT%H:%MZ})"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line as the database has it: where it stands, what opens it, and the rule that held it back until ``held_until``."""

    log_id: int
    index: int
    sealed_at: datetime
    event: str
    fields: tuple[tuple[str, object], ...]
    salts: bytes
    held_until: datetime | None  # null: it was never held back
    held_reason: str | None
    held_basis: str | None

    def __repr__(self) -> str:
        """Show no person."""
        return f"Entry(index={self.index})"


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """What a version of a contract says in words. ``siren`` null: none is named; ``labels``: of purposes, by id."""

    name: str
    siren: str | None
    labels: dict[str, str]


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """Whose record it is kept by. ``register``: its name for people."""

    controller: str
    register: str


class Given(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One attribute of a line, in which form, and what the form means."""

    attribute: str
    form: str
    form_text: str


class Line(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of a person's record, in words.

    The first five members are those of the Estonian Data Tracker's ``findUsage``; ``hiddenUntil`` and ``hiddenReason`` mean there what they mean here.
    """

    logtime: datetime
    action: str
    receiver_code: str
    receiver_name: str
    receiver_system: str
    log_source_system: str
    kind: str
    purpose: str | None
    purpose_text: str | None
    attributes: list[Given]
    legal_basis: str | None
    legal_basis_text: str | None
    contract_reference: str | None
    delivery: str
    assurance: str | None
    assurance_text: str | None
    hidden_until: datetime | None
    hidden_reason: str | None
    proof: str | None

    def __repr__(self) -> str:
        """Show nothing of a person."""
        return "Line()"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a person's record. ``total``: lines of the whole span, 10,000 at most; ``before``: where the next page begins; ``to_at``: its end.

    ``places``: log and index of each line.
    """

    lines: tuple[Line, ...]
    places: tuple[tuple[int, int], ...]
    total: int
    before: tuple[int, int] | None
    to_at: datetime


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that holds lines back. ``processor`` or ``purpose`` null: all of them; never both."""

    subject: str
    processor: str | None
    purpose: str | None
    reason: str
    legal_basis: str
    until_at: datetime

    def __repr__(self) -> str:
        """Show no person."""
        return "Rule()"
