"""The plan that a statement has, as the role that runs it, and whether it reads a table through that grows."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import asyncpg
import msgspec

from ecluse.cli.stated import EXPECTED, SWEEP, WHOLE, Stated
from ecluse.db import Connection
from ecluse.register.doctor import Level

SMALL_ROWS: Final = 10_000
"""Up to which the planner may read a table as a whole: cheaper than its index."""
NOT_SMALL_ROWS: Final = 100_000
"""From which a table is not small any more, though its statement reads it as a whole."""
_SIZES: Final = """
select c.relname::text as name, max(c.reltuples) as rows, max(coalesce(p.relname, c.relname)::text) as whole
from pg_class c left join pg_inherits i on i.inhrelid = c.oid left join pg_class p on p.oid = i.inhparent
where c.relname = any($1::text[]) group by 1
"""
_STREAMING: Final = frozenset(
    {
        "Append",
        "Incremental Sort",
        "Index Only Scan",
        "Index Scan",
        "Merge Append",
        "Nested Loop",
        "Result",
        "Seq Scan",
        "Subquery Scan",
    }
)
"""What hands rows on as they come: above all else everything below is read before the first one is seen."""
_STREAMED: Final = frozenset({"Outer", "Member", "Subquery"})
"""Below such a node: what it reads once and as far as it is asked to; an inner side is read anew for each row."""


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A statement with its plan: one line a node, the tree by indentation. ``verdict``: as it has to be, or what is read through."""

    level: Level
    group: str
    stated: Stated
    expected: str
    verdict: str
    plan: tuple[str, ...]


async def explain(connection: Connection, group: str, stated: Stated) -> Explained:
    """Plan one statement and judge the plan."""
    if stated.text.lower().startswith("set "):
        return Explained(level=Level.OK, group=group, stated=stated, expected="a setting", verdict="no plan", plan=())
    change = connection.transaction()
    await change.start()
    try:
        off = ("enable_partition_pruning", *stated.without)  # a null would prune every partition, and hide how they are read
        for setting in (
            f"plan_cache_mode = force_{'custom' if stated.values else 'generic'}_plan",
            *(f"{name} = off" for name in off),
        ):
            await connection.execute(f"set local {setting}")
        await connection.execute(f"prepare ecluse_dba as {stated.text}")
        count = await connection.fetchval(
            "select cardinality(parameter_types) from pg_prepared_statements where name = 'ecluse_dba'"
        )
        values = stated.values or ", ".join(["null"] * count)
        (root,) = json.loads(await connection.fetchval(f"explain (format json) execute ecluse_dba{values and f'({values})'}"))
    except asyncpg.PostgresError as bad:
        found = f"can't be planned ({bad.sqlstate})"
        return Explained(level=Level.FAIL, group=group, stated=stated, expected=EXPECTED[stated.plan], verdict=found, plan=())
    finally:
        await change.rollback()
        with contextlib.suppress(asyncpg.InvalidSQLStatementNameError):
            await connection.execute("deallocate ecluse_dba")
    through = set() if stated.plan == SWEEP else set(_read_through(root["Plan"]))
    rows = await connection.fetch(_SIZES, sorted({name for pair in through for name in pair})) if through else []
    sizes, tables = {row["name"]: row["rows"] for row in rows}, {row["name"]: row["whole"] for row in rows}
    most = NOT_SMALL_ROWS if stated.plan == WHOLE else SMALL_ROWS
    read = {tables[table] for table, counted in through if sizes[counted] > most}
    verdict = f"reads through {', '.join(sorted(read))}" if read else "as expected"
    level = Level.WARN if read else Level.OK
    return Explained(
        level=level, group=group, stated=stated, expected=EXPECTED[stated.plan], verdict=verdict, plan=tuple(_tree(root["Plan"]))
    )


def _read_through(node: Mapping[str, Any], *, above: str = "", limited: bool = False) -> Iterator[tuple[str, str]]:
    """Yield each table that a plan reads as a whole, with what tells how much that is: the table itself, or the index that is read without a condition on it.

    ``above``: the table of the node above, of which a bitmap is made. ``limited``: somebody above wants the first rows only, so a scan stops early, if it
    throws none away that it has read.
    """
    kind, table = node["Node Type"], node.get("Relation Name", above)
    limited = kind == "Limit" or (limited and kind in _STREAMING)
    scanned = kind == "Seq Scan" or (kind.endswith(("Index Scan", "Index Only Scan")) and "Index Cond" not in node)
    if scanned and (not limited or "Filter" in node):
        yield table, node.get("Index Name", table)
    for child in node.get("Plans", ()):
        yield from _read_through(child, above=table, limited=limited and child["Parent Relationship"] in _STREAMED)


def _tree(node: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """Write a plan as lines: the node, what it reads and by which index; partitions of a table after the third are counted."""
    of = node.get("Relation Name") or node.get("Function Name") or ""
    by = f" by {node['Index Name']}" if "Index Name" in node else ""
    yield f"{'  ' * depth}{node['Node Type']}{f' on {of}' if of else ''}{by}"
    children = node.get("Plans", ())
    for child in children[:3]:
        yield from _tree(child, depth + 1)
    if len(children) > 3:
        yield f"{'  ' * (depth + 1)}… and {len(children) - 3} more, alike"
