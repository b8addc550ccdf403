"""How ``ecluse doctor --dba`` looks in a terminal: a word beside every colour, each statement with its plan, nothing wider than the window."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Final

from ecluse.cli.screen import Screen, counted

if TYPE_CHECKING:
    from ecluse.cli.dba import Facts
    from ecluse.cli.plans import Explained

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
    """Show how many there are of what, then every one under its heading."""
    groups: dict[str, list[Explained]] = {}
    for each in facts.statements:
        groups.setdefault(each.group, []).append(each)
    rows = [
        (group, len(some), ", ".join(sorted({each.stated.role for each in some})), sum(each.level != "ok" for each in some) or "")
        for group, some in groups.items()
    ]
    if not quiet:
        screen.table(("of", "statements", "as", "to look at"), rows, title="\nStatements")
    for group, some in groups.items():
        shown = [each for each in some if not quiet or each.level != "ok"]
        if shown:
            screen.say(f"\n{group}: {counted(len(some), 'statement')}", style="bold underline")
        for each in shown:
            _show_statement(screen, each)


def _show_statement(screen: Screen, each: Explained) -> None:
    """Show one: its name, when, as whom, why; its text; what is expected of its plan; the plan."""
    stated = each.stated
    inside = f", inside {stated.inside}" if stated.inside else ""
    screen.say(f"\n{stated.name}  ·  {stated.when}  ·  {stated.role}{inside}", style="bold")
    screen.say(f"  {stated.purpose}")
    for line in re.sub(r",\n\s+", ", ", stated.text).splitlines():  # columns side by side: files have one a line
        wrapped = textwrap.wrap(
            line, _WIDTH, initial_indent="    ", subsequent_indent="        ", break_long_words=False, break_on_hyphens=False
        )
        screen.say("\n".join(wrapped), style="cyan")
    said = each.expected if each.level == "ok" else f"{each.verdict} (expected: {each.expected})"
    planned = f"; planned with {stated.values}" if stated.values else ""
    screen.say(f"  {each.level.value}: {said}{planned}", style=_STYLES[each.level.value])
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
