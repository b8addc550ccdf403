"""Who is governed and how, as the console reads it: every processor with its contract, what stands for and against it, and the holds in force.

All of it changes with a control entry alone, so it is read once for each value of the head's ``control_seq`` and kept until the next; a contract is parsed
once for its hash. What depends on time is never kept: a gate is asked for the instant of the page, of the function that every disclosure asks.
SQL is in ``governed.sql``; reads are those of role ``ecluse_reader``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiosql
import msgspec

from ecluse.contracts import Contract, ContractInvalid, Gate, Gatekeeper, GateState, parse_contract
from ecluse.contracts.gate import FAR_FUTURE, FAR_PAST
from ecluse.contracts.history import ABSENT, UNREADABLE
from ecluse.contracts.store import REMEMBERED, load_facts, standing_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import asyncpg
    from aiosql.queries import Queries

    from ecluse.db import Connection
    from ecluse.register import AttributeType

WORST: Final[Mapping[GateState, int]] = {GateState.FROZEN: 0, GateState.CLOSED: 1, GateState.WARN: 2, GateState.OPEN: 3}
"""What needs somebody first: a frozen gate can be opened, a closed one is mostly a contract that is over."""
_MOST_PARSED: Final = 4_000


@cache
def _queries() -> Queries:
    """Load ``governed.sql`` at first use: importing a module does nothing."""
    queries: Queries = aiosql.from_path(Path(__file__).with_name("governed.sql"), "asyncpg")
    return queries


def statement(name: str) -> str:
    """Return a statement of ``governed.sql``; its values are bound in the order of their first use."""
    return str(getattr(_queries(), name).sql)


async def rows_of(connection: Connection, name: str, *values: object) -> list[asyncpg.Record]:
    """Run a named statement."""
    return await connection.fetch(statement(name), *values)


async def row_of(connection: Connection, name: str, *values: object) -> asyncpg.Record | None:
    """Run a named statement that answers one row, or none."""
    return await connection.fetchrow(statement(name), *values)


async def there(connection: Connection, name: str, *values: object) -> asyncpg.Record:
    """Run a named statement that always answers a row."""
    row = await connection.fetchrow(statement(name), *values)
    if row is None:
        raise AssertionError("impossible: a log without a head")
    return row


class Instant(msgspec.Struct, frozen=True, kw_only=True):
    """The log's head and the database's clock."""

    size: int
    control_seq: int
    last_at: datetime
    at: datetime


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A hold that is not released, never on a person. ``label``: what the target is called; ``until_at`` None: until it is released."""

    id: str
    scope: str
    target: str
    label: str
    processor: str | None
    effect: str
    reason: str
    placed_by: str
    from_at: datetime
    until_at: datetime | None

    def in_force(self, at: datetime) -> bool:
        """Tell whether it bites at an instant."""
        return self.from_at <= at and (self.until_at is None or at < self.until_at)

    def stops(self, at: datetime) -> bool:
        """Tell whether it stops disclosures at an instant: a legal hold only keeps records."""
        return self.effect != "keep" and self.in_force(at)


class Governed(msgspec.Struct, frozen=True, kw_only=True):
    """A processor. ``version`` 0: no contract was ever applied; ``contract`` None: none, or none that the register's map can read."""

    id: str
    name: str
    added_at: datetime
    version: int
    reference: str
    hash: str
    applied_at: datetime | None
    applied_by: str
    contract: Contract | None
    keeper: Gatekeeper | None
    agents: int
    clients: int

    def gate(self, at: datetime) -> Gate:
        """Return the gate at an instant."""
        if self.keeper is not None:
            return self.keeper.at(at)
        reason = UNREADABLE if self.version else ABSENT
        return Gate(
            state=GateState.CLOSED, reasons=(reason,), valid_from=FAR_PAST, valid_until=FAR_FUTURE, told_from=FAR_PAST, told_until=FAR_FUTURE
        )  # fmt: skip

    @property
    def until(self) -> date | None:
        """Return the contract's last day."""
        return None if self.contract is None else self.contract.ends_on


class Everybody(msgspec.Struct, frozen=True, kw_only=True):
    """All processors by id, and the holds, as of a ``control_seq``."""

    log_id: int
    control_seq: int
    processors: dict[str, Governed]
    holds: tuple[Hold, ...]

    def stopping(self, at: datetime) -> Counter[str]:
        """Count the holds that stop something of each processor at an instant."""
        return Counter(hold.processor for hold in self.holds if hold.processor is not None and hold.stops(at))

    def held(self, processor: str, at: datetime) -> bool:
        """Tell whether a processor or its contract is stopped wholly at an instant."""
        return any(hold.scope in {"processor", "contract"} and hold.target == processor and hold.stops(at) for hold in self.holds)


class Register:
    """Keeps what was read last, until the next control entry. Owned by the event loop's one thread."""

    def __init__(self, attributes: Mapping[str, AttributeType], zone: ZoneInfo) -> None:
        """Read contracts against the register's ``attributes``; days are of the controller's ``zone``."""
        self._attributes, self._zone = attributes, zone
        self._parsed: dict[str, Contract | None] = {}
        self._kept: Everybody | None = None

    async def read(self, connection: Connection, log_id: int) -> tuple[Instant, Everybody]:
        """Return the present instant and everybody as of it: one statement where nothing has changed."""
        instant = await instant_of(connection, log_id)
        kept = self._kept
        if kept is not None and (kept.log_id, kept.control_seq) == (log_id, instant.control_seq):
            return instant, kept
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            instant = await instant_of(connection, log_id)
            rows = await rows_of(connection, "processors")
            facts = await load_facts(connection, [row["id"] for row in rows], REMEMBERED)
            holds = await rows_of(connection, "holds")
        found = {row["id"]: self._governed(row, facts.get(row["id"])) for row in rows}
        self._kept = Everybody(
            log_id=log_id, control_seq=instant.control_seq, processors=found, holds=tuple(_hold(row) for row in holds)
        )
        return instant, self._kept

    def _governed(self, row: asyncpg.Record, facts: tuple[list[asyncpg.Record], ...] | None) -> Governed:
        contract = None if row["text"] is None else self.parse(row["hash"], row["text"])
        standing = standing_of(facts)  # type: ignore[arg-type] # the three lists of one processor, as `load_facts` groups them
        return Governed(
            id=row["id"], name=row["name"], added_at=row["added_at"], version=row["version"] or 0, reference=row["reference"] or "",
            hash=row["hash"] or "", applied_at=row["applied_at"], applied_by=row["applied_by"] or "", contract=contract,
            keeper=None if contract is None else Gatekeeper(contract, standing, self._zone), agents=row["agents"], clients=row["clients"],
        )  # fmt: skip

    def parse(self, digest: str, text: str) -> Contract | None:
        """Parse a contract once for its hash; None: the register's map can't read it."""
        if digest not in self._parsed:
            if len(self._parsed) >= _MOST_PARSED:
                self._parsed.clear()
            try:
                self._parsed[digest] = parse_contract(text, self._attributes)
            except ContractInvalid:
                self._parsed[digest] = None
        return self._parsed[digest]


async def instant_of(connection: Connection, log_id: int) -> Instant:
    """Read the head and the clock."""
    row = await there(connection, "instant", log_id)
    return Instant(size=row["size"], control_seq=row["control_seq"], last_at=row["last_at"], at=row["at"])


def _hold(row: asyncpg.Record) -> Hold:
    return Hold(
        id=row["id"], scope=row["scope"], target=row["scope_id"], label=row["label"] or row["scope_id"], processor=row["processor_id"],
        effect=row["effect"], reason=row["reason"], placed_by=row["placed_by"], from_at=row["from_at"], until_at=row["until_at"],
    )  # fmt: skip


def day_begins(at: datetime) -> datetime:
    """Return the first instant of a UTC day: budgets and counts are by those."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
