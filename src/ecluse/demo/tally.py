"""Reading the day back out of the ledger, as an auditor would: nothing here comes from the processors.

Roles: ``ecluse_reader`` for the ledger, the embedded database's owner for what the register holds and no contract can name.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Mapping

import msgspec

from ecluse.db import Connection
from ecluse.install import LOG_ID
from ecluse.ledger import Event, fields_of
from ecluse.ledger.fsck import check_log
from ecluse.policy import Reason
from ecluse.register import RegisterMap
from ecluse.register.statement import mapped_columns

GRANTS = frozenset({Event.PERSON_GRANTED, Event.SHEET_GRANTED})
WITHHELD = "withheld"
UNLISTED = "roster:unlisted"
_OPENINGS = "select index, event, subject_ref, fields from ecluse.opening where log_id = $1::smallint order by index"
_REDELIVERED = "select coalesce(sum(redeliveries), 0)::bigint from ecluse.idempotency"
_COLUMNS = """
select format('%I.%I', c.table_schema, c.table_name) as name, c.column_name from information_schema.columns c
where c.table_schema = any($1::text[]) order by 1, c.ordinal_position
"""


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of the day.

    ``grants``: entries that disclosed a person; ``persons``: distinct ones; ``fields``: values disclosed; ``forms``: attribute to form to count, withheld
    ones included; ``refusals``: public reason to count; ``unlisted``: grants to an agent who was not on the session's list; ``while_held``: grants to the
    suspended client between the hold's entry and its release; ``gates``: refusals at shut gates, processor to reason to count.
    """

    grants: int
    persons: int
    fields: int
    forms: dict[str, dict[str, int]]
    refusals: dict[str, int]
    unlisted: int
    controls: int
    redelivered: int
    while_held: int
    gates: dict[str, dict[str, int]]


class LedgerCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What checking every entry found. ``problems``: constant words."""

    size: int
    root_base64: str
    tiles: int
    checkpoints: int
    problems: tuple[str, ...]


async def read_tally(connection: Connection, held_client: str) -> Tally:
    """Read all openings in one pass."""
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    refusals: Counter[str] = Counter()
    gates: dict[str, Counter[str]] = defaultdict(Counter)
    persons: set[str] = set()
    counts: Counter[str] = Counter()
    held = False
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for row in connection.cursor(_OPENINGS, LOG_ID, prefetch=500):
            said = dict(fields_of(row["fields"]))
            event = row["event"]
            if event in GRANTS:
                persons.add(row["subject_ref"])
                counts["grants"] += 1
                counts["unlisted"] += UNLISTED in _list(said["rules"])
                counts["while_held"] += held and said["client"] == held_client
                for name, form in _table(said["forms"]).items():
                    forms[name][str(form)] += 1
            elif "reason" in said:
                refusals[str(said["reason"])] += 1
                if said["reason"] == Reason.GATE_FROZEN:
                    gates[str(said["processor"])].update(map(str, _list(said["reasons"])))
            else:
                counts["controls"] += 1
                held = _held(event, said, held_client, now=held)
        redelivered = await connection.fetchval(_REDELIVERED)
    return Tally(
        grants=counts["grants"],
        persons=len(persons),
        fields=sum(count for given in forms.values() for form, count in given.items() if form != WITHHELD),
        forms={name: dict(given) for name, given in sorted(forms.items())},
        refusals=dict(sorted(refusals.items())),
        unlisted=counts["unlisted"],
        controls=counts["controls"],
        redelivered=redelivered,
        while_held=counts["while_held"],
        gates={name: dict(given) for name, given in sorted(gates.items())},
    )


def _held(event: str, said: Mapping[str, object], client: str, *, now: bool) -> bool:
    """Return whether the client is held after a control entry."""
    if event == Event.HOLD_PLACED and _table(said["detail"]).get("target") == client:
        return True
    return now and event != Event.HOLD_RELEASED


def _table(value: object) -> dict[str, object]:
    """Return a field's value that is a table."""
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    """Return a field's value that is a list."""
    return value if isinstance(value, list) else []


async def check_ledger(connection: Connection, vkey: str) -> LedgerCheck:
    """Recompute the whole log from its entries, as ``ecluse ledger fsck`` does."""
    report = await check_log(connection, LOG_ID, vkey)
    return LedgerCheck(
        size=report.size,
        root_base64=b64encode(report.root).decode("ascii"),
        tiles=report.tiles,
        checkpoints=report.checkpoints,
        problems=tuple(f"{problem.kind}: {problem.detail}" for problem in report.problems)
        + (() if report.published == report.size else ("the last checkpoint does not cover every entry",)),
    )


async def unmapped_columns(register_owner: Connection, register: RegisterMap) -> tuple[str, ...]:
    """Return the columns of the register's schemas that no contract can name, because nothing maps them."""
    mapped = set(mapped_columns(register))
    schemas = sorted({table.partition(".")[0] for table, _ in mapped})
    rows = await register_owner.fetch(_COLUMNS, schemas)
    return tuple(
        sorted({row["column_name"] for row in rows if (row["name"], row["column_name"]) not in mapped} - {c for _, c in mapped})
    )
