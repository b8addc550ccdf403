"""How ``ecluse doctor --dba`` looks in a terminal: a word beside every colour, each statement with its plan, nothing wider than the window."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from ecluse.cli.screen import Screen, counted

if TYPE_CHECKING:
    from ecluse.cli.dba import Explained, Facts

_WIDTH: Final = 104
_STYLES: Final = {"ok": "green", "warn": "bold yellow", "fail": "bold red"}


def show(screen: Screen, facts: Facts, *, quiet: bool) -> None:
    """Show all of it; ``quiet``: only what is not ok."""
    _show_statements(screen, facts, quiet=quiet)
    if not quiet:
        screen.table(
            ("order", "what", "how", "who, how long"),
            facts.locks,
            title="\nLocks, in the order in which they are taken: the head first, always",
        )
        rows = [(row["role"], row["each"] or "", row["who"], row["now"]) for row in facts.connections]
        screen.table(("role", "kept open", "by", "open now"), rows, title="\nConnections")
        _show_tables(screen, facts)
    for part in facts.parts:
        rows = [(line.level.value, line.where, line.found, line.mend) for line in part.lines if not quiet or line.level != "ok"]
        if rows:
            screen.table(("level", "where", "found", "mend"), rows, title=f"\n{part.title}")


def _show_statements(screen: Screen, facts: Facts, *, quiet: bool) -> None:
    """Show every statement under its heading."""
    group = ""
    for each in facts.statements:
        if quiet and each.level == "ok":
            continue
        if each.group != group:
            group = each.group
            number = sum(other.group == group for other in facts.statements)
            screen.say(f"\n{group}: {counted(number, 'statement')}", style="bold underline")
        _show_statement(screen, each)


def _show_statement(screen: Screen, each: Explained) -> None:
    """Show one: its name, when, as whom, why; its text; what is expected of its plan; the plan."""
    stated = each.stated
    inside = f", inside {stated.inside}" if stated.inside else ""
    screen.say(f"\n{stated.name}  ·  {stated.when}  ·  {stated.role}{inside}", style="bold")
    screen.say(f"  {stated.purpose}")
    for line in stated.text.splitlines():
        wrapped = textwrap.wrap(
            line, _WIDTH, initial_indent="    ", subsequent_indent="        ", break_long_words=False, break_on_hyphens=False
        )
        screen.say("\n".join(wrapped), style="cyan")
    screen.say(f"  {each.level.value}: {each.verdict} (expected: {each.expected})", style=_STYLES[each.level.value])
    for line in each.plan:
        screen.say(f"    {line}", style="dim")


def _show_tables(screen: Screen, facts: Facts) -> None:
    """Show the tables, the largest first."""
    rows = []
    for row in facts.tables:
        in_place = row["in_place"]
        rows.append(
            (
                row["name"], row["parts"], f"{row['bytes']:,}", f"{row['rows']:,}", f"{row['dead']:,}", f"{row['updated']:,}",
                f"{in_place:.0%}" if isinstance(in_place, float) else "", row["fillfactor"],
            )
        )  # fmt: skip
    heads = ("table", "parts", "bytes, indexes too", "rows", "dead", "updates", "in their page", "fillfactor")
    screen.table(heads, rows, title="\nTables: PostgreSQL's own estimates")
