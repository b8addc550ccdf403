"""What was sent to the database against the list of ``ecluse doctor --dba``; and tables that have grown, so that a plan shows what it reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ecluse.cli.statements import all_statements
from ecluse.db import Connection

_NOT_WORK: Final = re.compile(
    r"^(begin|commit|rollback|start transaction|set |show )|pg_catalog|pg_type|current_setting|_pogo_migration|select current_user|set_config"
    r'|"registre"',
    re.IGNORECASE,
)
"""Transactions, the driver's own questions about types, the checks of the start; and the register, whose statement is written for each asking."""


def bare(text: str) -> str:
    """Write a statement without the spaces, comments and semicolons that do not matter."""
    return " ".join(re.sub(r"--[^\n]*", "", text).split()).rstrip("; ")


def listed() -> set[str]:
    """Return the statements of the list."""
    return {bare(each.text) for group in all_statements().values() for each in group}


def unlisted(sent: Iterable[str]) -> list[str]:
    """Return what is not in the list."""
    return sorted(text for text in {bare(each) for each in sent} - listed() if not _NOT_WORK.search(text))


# ── tables that have grown ───────────────────────────────────────────────────────────────────────────────────────────────────
SMALL: Final = frozenset(
    {
        "client", "contract", "erasure_plan", "flow_import", "flow_mark", "ledger_head", "ledger_key", "ledger_log", "ledger_policy", "ledger_succession",
        "officer", "processor", "questionnaire", "sandbox_person", "schedule_draft", "schedule_request",
    }
)  # fmt: skip
"""Tables that do not grow with what is done: with parties, contracts and officers at most. Any other table is taken to grow."""
MOSTLY: Final = {("hold", "scope"): "'person'"}
"""What most rows of a table that grows have, where an index is of the others."""
ROWS: Final = 24_000
"""More than are read through without a word; a third of them is less."""
_CHECKS: Final = """
select conrelid::regclass::text as on, conname as name from pg_constraint where contype = 'c' and conislocal and connamespace = 'ecluse'::regnamespace
"""
_COLUMNS: Final = """
select c.relname::text as of, array_agg(a.attname::text order by a.attnum) as names, array_agg(format_type(a.atttypid, null) order by a.attnum) as types,
       array_agg(a.attnotnull order by a.attnum) as filled
from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relnamespace = 'ecluse'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped
group by 1 order by 1
"""
_VALUES: Final = {
    "smallint": "1",
    "integer": "n",
    "bigint": "n",
    "boolean": "n % 2 = 0",
    "text": "'x' || n",
    "text[]": "array['x' || n]",
    "bytea": "decode(md5(n::text), 'hex')",
    "jsonb": "'[]'::jsonb",
    "uuid": "gen_random_uuid()",
    "date": "current_date - n",
    "timestamp with time zone": "now() - n * interval '10 minutes'",
}
"""A value of each type for row ``n``: every one another, but for logs, of which there is one."""


async def grow(admin: Connection) -> None:
    """Fill every table that grows, past its keys to others, its checks and its triggers; where a null may stand, in a third of the rows."""
    await admin.execute("set session_replication_role = replica")
    for row in await admin.fetch(_CHECKS):
        await admin.execute(f"alter table {row['on']} drop constraint {row['name']}")
    for row in await admin.fetch(_COLUMNS):
        if row["of"] not in SMALL:
            columns = zip(row["names"], row["types"], row["filled"], strict=True)
            said = [(MOSTLY.get((row["of"], name), _VALUES[kind]), filled) for name, kind, filled in columns]
            values = ", ".join(value if filled else f"case when n % 3 > 0 then {value} end" for value, filled in said)
            rows = f"generate_series(100001, {100_000 + ROWS}) n"
            await admin.execute(f"insert into ecluse.{row['of']} ({', '.join(row['names'])}) select {values} from {rows}")  # noqa: S608 - names of the catalogue
    await admin.execute("vacuum analyze")
