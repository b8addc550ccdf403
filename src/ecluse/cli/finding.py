"""``ecluse finding``: what audits, tests and questionnaires found, each with the last day to mend it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ecluse.cli.foretold import ask, look_ahead, read_day, show_foreseen, told
from ecluse.cli.options import Dir, Json, ProcessorName, Yes, flag
from ecluse.cli.screen import Screen, local_time

if TYPE_CHECKING:
    from ecluse.db import Connection
    from ecluse.evidence import KeptFinding
    from ecluse.evidence.service import Foreseen
    from ecluse.ledger.service import Control

app = typer.Typer(
    no_args_is_help=True, help="Findings: critical and high ones freeze the gate once their day is over, others warn."
)


class SourceWord(StrEnum):
    """Where it comes from; the same words as `ecluse.evidence.Source`."""

    AUDIT = "audit"
    PENTEST = "pentest"
    QUESTIONNAIRE = "questionnaire"
    INCIDENT = "incident"
    OTHER = "other"


class SeverityWord(StrEnum):
    """How bad it is; the same words as `ecluse.contracts.Severity`."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@app.command("open")
def open_one(
    processor: ProcessorName,
    *,
    source: Annotated[SourceWord, typer.Option(help="Where it comes from.")],
    severity: Annotated[
        SeverityWord, typer.Option(help="How bad it is: a critical one is due within 30 days, a high one within 90.")
    ],
    title: Annotated[str, typer.Option(help="What was found. It is kept, not sealed: name no person.")],
    due_on: Annotated[str, typer.Option(metavar="DAY", help="The last day to mend it, such as 2026-01-31.")],
    yes: Yes = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Write down something to be mended: shows what it changes for the gate, then asks. A day that is over takes effect at once."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.contracts import Severity
    from ecluse.evidence import Source, foresee, service
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)
    due, zone = read_day("--due-on", due_on), installation.settings.zone

    async def look(connection: Connection) -> Foreseen | None:
        await service.check_opening(
            connection, processor=processor, severity=Severity(severity), title=title, due_on=due, timezone=zone
        )
        return await look_ahead(
            connection, installation, processor, lambda standing, at: foresee.if_opened(standing, Severity(severity), due, at)
        )

    async def work(connection: Connection) -> tuple[str, Control]:
        return await service.open_finding(
            connection, log_id=LOG_ID, processor=processor, source=Source(source), severity=Severity(severity), title=title, due_on=due, actor=actor(),
            timezone=zone,
        )  # fmt: skip

    foreseen = on_log(installation, look)
    show_foreseen(screen, processor, foreseen)
    ask(screen, f"Open it as {actor()}?", yes=yes)
    finding, sealed = on_log(installation, work)
    screen.say(
        f"{finding} is open until somebody closes it, due on {due}; sealed as entry {sealed.index} of the ledger.", style="green"
    )
    screen.answer({"finding": finding, "processor": processor, "index": sealed.index, "gate": told(foreseen)})


@app.command("close")
def close_one(
    finding: Annotated[str, typer.Argument(help="The finding's id: fnd_… (`ecluse finding list` shows them).")],
    *,
    done: Annotated[str, typer.Option(help="What was done about it, and how you know. It is kept, not sealed: name no person.")],
    yes: Yes = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Close a finding, in words that say what was done: shows what that changes for the gate, then asks."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.evidence import foresee, service
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)

    async def look(connection: Connection) -> tuple[KeptFinding, Foreseen | None]:
        found = await service.check_closing(connection, finding, closing=done)
        return found, await look_ahead(
            connection, installation, found.processor, lambda standing, at: foresee.if_closed(standing, finding, at)
        )

    found, foreseen = on_log(installation, look)
    screen.say(f"{found.processor}: {found.title} ({found.severity}, due on {found.due_on})", style="bold")
    show_foreseen(screen, found.processor, foreseen)
    ask(screen, f"Close it as {actor()}?", yes=yes)
    sealed = on_log(
        installation, lambda connection: service.close_finding(connection, finding, log_id=LOG_ID, closing=done, actor=actor())
    )
    screen.say(f"{finding} is closed, sealed as entry {sealed.index} of the ledger.", style="green")
    screen.answer({"finding": finding, "index": sealed.index, "gate": told(foreseen)})


@app.command("list")
def list_findings(
    processor: Annotated[str | None, typer.Argument(help="The processor.", show_default="all")] = None,
    *,
    every: Annotated[bool, flag("--all", help="Also those that were closed.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """List findings, the one due first at the top."""
    from ecluse import clock
    from ecluse.cli.reach import load, on_log
    from ecluse.evidence import store

    screen, installation = Screen(as_json=as_json), load(folder)
    found = on_log(installation, lambda connection: store.list_findings(connection, processor, closed=every))
    zone = installation.settings.zone
    today = clock.now().astimezone(zone).date()
    states = ["closed" if one.closed_at else "overdue" if one.due_on < today else "open" for one in found]
    screen.table(
        ("finding", "processor", "severity", "due on", "state", "source", "what was found", "opened", "what was done"),
        [
            (one.id, one.processor, one.severity.value, one.due_on, state, one.source.value, one.title, local_time(one.opened_at, zone), one.closing or "")
            for one, state in zip(found, states, strict=True)
        ],
        empty="Nothing was found.",
    )  # fmt: skip
    screen.answer({"findings": found})
