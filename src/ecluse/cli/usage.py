"""``ecluse usage``: rules that hold lines of one person's record back, by law and for a time. The record itself is read by portals, never here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecluse.cli.holds import read_instant
from ecluse.cli.options import Dir, Json, flag
from ecluse.cli.screen import Screen, local_time

if TYPE_CHECKING:
    from ecluse.db import Connection

app = typer.Typer(
    no_args_is_help=True,
    help="Who saw my data: hold lines of one person's record back, where a law says so, until an end. See docs/usage.md.",
)


@app.command("defer")
def defer(
    person: Annotated[
        str,
        typer.Argument(
            help="The person's subject_ref; `-` reads it from standard input, so that it stays out of the shell's history."
        ),
    ],
    *,
    reason: Annotated[
        str, typer.Option(help="Why, in words: sealed now, and shown to the person when the rule ends. Name nobody.")
    ],
    legal_basis: Annotated[str, typer.Option(help="The law that allows it, in words.")],
    until: Annotated[
        str, typer.Option(metavar="TIME", help="Until when, such as 2026-03-01T00:00+01:00: 184 days ahead at most.")
    ],
    processor: Annotated[str | None, typer.Option(help="Only lines of this processor.", show_default="all")] = None,
    purpose: Annotated[str | None, typer.Option(help="Only lines for this purpose.", show_default="all")] = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Hold lines of one person's record back until an end. It is sealed in the ledger; a rule for everybody, or for all of a person's lines, is refused.

    When it ends, by time or by `ecluse usage release`, the lines appear and say that they were held back, until when and why.
    """
    from ecluse.cli.reach import actor, load, on_log, register_map
    from ecluse.install import LOG_ID
    from ecluse.ledger.serve import current_log
    from ecluse.usage import Rule
    from ecluse.usage.service import defer as defer_lines

    screen, installation = Screen(as_json=as_json), load(folder)
    if person == "-":
        person = sys.stdin.readline().strip()
    end = read_instant("--until", until)
    if end is None:
        raise AssertionError("impossible: --until was given")
    rule = Rule(subject=person, processor=processor, purpose=purpose, reason=reason, legal_basis=legal_basis, until_at=end)
    mapped = register_map(installation.folder / "register.toml")

    async def work(connection: Connection) -> tuple[str, int]:
        log_id = await current_log(connection, LOG_ID)
        name, sealed = await defer_lines(connection, log_id=log_id, rule=rule, register=mapped, actor=actor())
        return name, sealed.index

    name, index = on_log(installation, work)
    which = " and ".join(f"{what} {value}" for what, value in (("processor", processor), ("purpose", purpose)) if value)
    shown = local_time(end, installation.settings.zone)
    screen.say(
        f"Lines of one person ({which}) are held back until {shown} by {name}, sealed as entry {index} of the ledger.",
        style="bold",
    )
    screen.say(f"To end it before: ecluse usage release {name}")
    screen.answer({"rule": name, "processor": processor, "purpose": purpose, "until": end, "index": index})


@app.command("release")
def release(
    rule: Annotated[str, typer.Argument(help="The rule's id: dfr_… (`ecluse usage list` lists them).")],
    *,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """End a rule now: its lines appear, and say that they were held back, until now and why."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.install import LOG_ID
    from ecluse.ledger.serve import current_log
    from ecluse.usage.service import release as release_lines

    screen, installation = Screen(as_json=as_json), load(folder)

    async def work(connection: Connection) -> int:
        sealed = await release_lines(connection, log_id=await current_log(connection, LOG_ID), rule=rule, actor=actor())
        return sealed.index

    index = on_log(installation, work)
    screen.say(f"{rule} is released, sealed as entry {index} of the ledger. Its lines are shown from now on.", style="green")
    screen.answer({"rule": rule, "index": index})


@app.command("list")
def list_rules(
    *,
    every: Annotated[bool, flag("--all", help="Also those that ended, for a year.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """List the rules in force. Of whom they are is not shown."""
    from ecluse.cli.reach import load, on_log
    from ecluse.usage.store import rules

    screen, installation = Screen(as_json=as_json), load(folder)
    rows = on_log(installation, lambda connection: rules(connection, every=every), role="ecluse_reader")
    names = ("id", "processor_id", "purpose", "reason", "legal_basis", "placed_by", "from_at", "until_at", "released_at")
    found = [
        {name.removesuffix("_id") if name != "id" else "rule": row[name] for name in names}
        | {"state": "in force" if row["in_force"] else "released" if row["released_at"] else "over"}
        for row in rows
    ]
    zone = installation.settings.zone
    heads = ("rule", "state", "processor", "purpose", "why", "by which law", "from", "until", "by")
    screen.table(heads, [_row(one, zone) for one in found], empty="No line of anybody's record is held back.")
    screen.answer({"rules": found})


def _row(rule: Mapping[str, Any], zone: tzinfo) -> tuple[object, ...]:
    """Write one rule as a row of the table."""
    scope = rule["processor"] or "all", rule["purpose"] or "all"
    ends = local_time(rule["released_at"] or rule["until_at"], zone)
    return (
        rule["rule"],
        rule["state"],
        *scope,
        rule["reason"],
        rule["legal_basis"],
        local_time(rule["from_at"], zone),
        ends,
        rule["placed_by"],
    )
