"""What a replay was asked for, and what it found: frozen values, without a word about any one person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

START: Final = datetime(2025, 11, 25, tzinfo=UTC)
"""The day on which the contractor is compromised, as reported of the breach of January 2026."""

DEFAULT_DAYS: Final = 37
"""Until 1 January 2026, the day of publication."""

FEWEST_PEOPLE: Final = 200
FEWEST_DAYS: Final = 2
MOST_DAYS: Final = 60


class Attacked(StrEnum):
    """What an attack ran against. New words go last."""

    ECLUSE = "ecluse"
    COPY = "copy"
    ACCOUNT = "read-account"
    ROWS = "row-level-security"
    API = "token-api"


class Kind(StrEnum):
    """The attacks, by the names of ``--attack``, in the order in which they are told. New words go last."""

    MACHINE_KEY = "stolen-machine-key"
    TOKEN = "stolen-token"  # noqa: S105 - an attack's name
    AGENT = "malicious-agent"
    PROCESSOR = "compromised-processor"
    ENUMERATION = "enumeration"
    RACE = "replay-and-race"
    COLLUSION = "collusion"
    SCHEDULER = "stolen-scheduler"
    CANCELLED = "cancelled-schedule"
    HISTORY = "edited-history"


class ReplayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options. ``kinds``: which attacks, none named: all; ``api_seconds``: how long the token API is enumerated; ``console``: where progress is told."""

    people: int = 20_000
    days: int = DEFAULT_DAYS
    folder: Path = Path("ecluse-replay")
    port: int = 8080
    kinds: frozenset[Kind] = frozenset(Kind)
    api_seconds: float = 10.0
    console: Console | None = None

    @property
    def ends(self) -> datetime:
        """Return the end of the last day."""
        return START + timedelta(days=self.days)


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """What an attack could obtain, said before it began: at most ``persons`` and ``attributes``; ``exact``: and so many persons indeed.

    ``by``: what holds the number down, in the engine's words, or the promise that makes it zero where the engine has no such holder.
    """

    persons: int
    attributes: int
    exact: bool
    by: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One attack against one thing.

    ``says``: what the attacker did; ``persons``: distinct ones obtained; ``forms``: attribute to the form it came in, and ``attributes`` how many of them;
    ``values``: persons x attributes obtained; ``ledger``: distinct persons by the ledger's own openings, None where nothing of the kind exists; ``seconds``:
    of this machine's work; ``alarm``: seconds of simulated time until somebody was told, None: nobody was (the watch does not exist yet); ``wrong``: what must
    not be, empty: nothing; ``more``: further figures of this attack.
    """

    attack: Kind
    alternative: Attacked
    says: str
    persons: int
    attributes: int
    values: int
    forms: dict[str, str]
    bound: int | None
    exact: bool
    bound_attributes: int | None
    held_down_by: str
    reached: bool
    ledger: int | None
    seconds: float
    alarm: float | None
    wrong: str
    more: dict[str, int | float | str]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the agency can say about the compromised processor on the day of publication, from its own ledger and nothing else.

    ``forms``: attribute to the forms in which it was given; ``never``: attributes of the register that were not; ``first``, ``last``: of the disclosures;
    ``sound``: whether the whole ledger was found whole.
    """

    processor: str
    name: str
    persons: int
    forms: dict[str, list[str]]
    never: list[str]
    first: datetime | None
    last: datetime | None
    entries: int
    sound: bool


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The whole replay. ``wrong``: everything that must not be, one line each."""

    kind: str = "ecluse-replay"
    people: int
    from_at: datetime
    to_at: datetime
    a_day: int
    attacks: list[Found]
    told: Told | None
    seconds: float
    folder: str
    wrong: list[str]
