"""What the pages of a person's own data show. One frozen context a page; nothing of anybody else is in any of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import msgspec


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One line. ``given``, ``not_given``: in words; ``law``, ``law_reference``: why it was allowed, empty: it needs no law of its own.

    ``sure``: how sure one is who it was; ``place``: log and entry, as its address names it; ``proof``: whether there is one yet; ``held_until``: it was kept
    from this page until then, and why.
    """

    place: str
    at: datetime
    what: str
    purpose: str
    given: Sequence[str]
    not_given: Sequence[str]
    law: str
    law_reference: str
    contract: str
    sure: str
    held_until: datetime | None
    held_reason: str
    proof: bool

    def __repr__(self) -> str:
        """Show nothing of a person."""
        return "Shown()"


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """Who received data on one day, with what. ``number``: the business number, empty: none; ``own``: the agency itself, or the reader."""

    name: str
    number: str
    own: bool
    lines: Sequence[Shown]


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day of a record, newest line first. ``key``: names it in the page."""

    key: str
    on: date
    receivers: Sequence[Receiver]


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a person may complain to. ``site``: its page for that, empty: none is known; ``lines``: as an address is written."""

    name: str
    lines: Sequence[str]
    site: str


class Contacts(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to write to: the agency, its data-protection officer, the authority. Empty where the installation does not say."""

    agency: str
    reach: str
    address: str
    dpo: str
    authority: Authority


class Pages(msgspec.Struct, frozen=True, kw_only=True):
    """The pages before and after this one, None at the ends; ``said``: what stands between."""

    newer: str | None
    older: str | None
    said: str


class RecordPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a person's record. ``register``: where the data are; ``days``: its lines; ``total``: lines in all, up to 10,000; ``until``: what it goes up to.

    ``ends_at``: when the visit is over at the latest; ``idle_seconds``: how long it lasts without a sign of life; ``vkeys``: the log's public keys, by which
    proofs are checked; ``pages``: those before and after; ``contacts``: whom to write to.
    """

    register: str
    days: Sequence[Day]
    total: int
    until: datetime
    ends_at: datetime
    idle_seconds: int
    vkeys: Sequence[str]
    pages: Pages
    contacts: Contacts

    def __repr__(self) -> str:
        """Show nothing of a person."""
        return "RecordPage()"


class EntryPage(msgspec.Struct, frozen=True, kw_only=True):
    """The way in. ``state``: ``new`` (nobody came in yet), ``over`` (the visit is over), ``used`` (the link is), ``closed`` (the reader closed it).

    ``contacts``: whom to ask.
    """

    state: str
    contacts: Contacts
