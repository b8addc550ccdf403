"""``ecluse erase``: a person asked for, the nightly batch now, and how far it all is. A person's reference is never shown."""

from __future__ import annotations

import sys
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ecluse import clock
from ecluse.cli.holds import require_subject
from ecluse.cli.options import Dir, Json, Yes
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ecluse.db import Connection
    from ecluse.ledger.erase import Batch, Request, Standing
    from ecluse.settings import Installation

JOBS: Final = "ecluse_jobs"
app = typer.Typer(no_args_is_help=True, help="Forget persons, on request and after their time. See docs/erasure.md.")

_WAITS: Final = {
    None: "nothing: it goes with the next batch",
    "appointment": "the end of the last appointment's longest window",
    "hold": "a hold on the person or a legal hold on their entries",
    "deferral": "lines of their record that are held back",
    "budget": "the end of the month, whose budgets count them",
    "recent": "a retry of what was asked in the last hour",
}
"""What a request waits for, in words, by the code that the database gives."""


@app.command("request")
def request(
    person: Annotated[
        str,
        typer.Argument(
            help="The person's subject_ref; `-` reads it from standard input, so that it stays out of the shell's history."
        ),
    ],
    *,
    reason: Annotated[str, typer.Option(help="Why, in words. Kept until it is done, then forgotten with the request.")],
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Ask for one person to be forgotten: it is done by the next nightly batch that nothing stands in the way of.

    Erase the person in your own schedule first: a file that names them for a session that is over is refused. What is under way is not cancelled.
    """
    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import actor, load
    from ecluse.ledger.erase import ask_erasure, standing

    screen, installation = Screen(as_json=as_json), load(folder)
    if person == "-":
        person = sys.stdin.readline().strip()
    require_subject(installation, person)
    if not reason.strip():
        raise typer.BadParameter("is empty: say why in a few words", param_hint="--reason")
    months = installation.settings.retention.openings_months

    async def work(connection: Connection, _: int) -> Request | None:
        asked = await ask_erasure(connection, subject=person, reason=reason, actor=actor())
        return next((one for one in (await standing(connection, months)).requests if one.id == asked), None)

    asked = _do(installation, work)
    if asked is None:
        raise Refusal("erasure", "this person was asked for before", "`ecluse erase status` says what it waits for")
    screen.say(f"Asked for, as {asked.id}. It waits for {_until(asked, installation.settings.zone)}.", style="bold")
    screen.say(f"To take it back before it is sealed: ecluse erase withdraw {asked.id}")
    screen.answer({"request": asked.id, "waits_for": asked.why, "until": asked.until})


@app.command("withdraw")
def withdraw(
    request: Annotated[str, typer.Argument(help="The request's id: ers_… (`ecluse erase status` lists them).")],
    *,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Take a request back; once its batch is sealed it can't be."""
    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import load
    from ecluse.ledger.erase import withdraw_erasure

    screen, installation = Screen(as_json=as_json), load(folder)

    async def work(connection: Connection, _: int) -> bool:
        return await withdraw_erasure(connection, request)

    if not _do(installation, work):
        raise Refusal(
            f"request {request}", "there is none that could be taken back", "`ecluse erase status` lists those that wait"
        )
    screen.say(f"{request} is withdrawn and forgotten. The person stays.", style="green")
    screen.answer({"request": request, "withdrawn": True})


@app.command("run")
def run_now(*, yes: Yes = False, folder: Dir = None, as_json: Json = False) -> None:
    """Do now what the gate does each night: erase what is past its time, and whoever was asked for and waits for nothing.

    It can't be undone. The gate goes on disclosing meanwhile. Whatever a crash left half-way is finished first.
    """
    from ecluse.cli.reach import load
    from ecluse.ledger.erase import erase_due, standing

    screen, installation = Screen(as_json=as_json), load(folder)
    kept = installation.settings.retention
    ask = f"Erase openings older than {counted(kept.openings_months, 'month')}, and whoever was asked for? It can't be undone."
    if not screen.confirm(ask, yes=yes):
        raise typer.Abort

    with screen.progress("Erasing") as tell:

        async def work(connection: Connection, log_id: int) -> tuple[list[int], Standing]:
            done = await erase_due(connection, log_id, kept.openings_months, lambda gone: tell(gone, gone))
            return done, await standing(connection, kept.openings_months, max(1, len(done)))

        sealed, after = _do(installation, work)
    backups = timedelta(days=kept.backups_days)
    batches = [one for one in reversed(after.batches) if one.index in sealed]
    gone = sum(one.count for one in batches)
    if not batches:
        screen.say("Nothing is due.")
    else:
        entries = ", ".join(str(one.index) for one in batches)
        word = "entry" if len(batches) == 1 else "entries"
        screen.say(f"{counted(gone, 'opening')} erased, sealed as {word} {entries} of the ledger.", style="bold")
        screen.say(f"Complete once the last older backup is gone: {_complete(batches[-1], backups, installation.settings.zone)}.")
    if after.requests:
        screen.say(f"Requests that still wait: {len(after.requests)}. For what: ecluse erase status", style="yellow")
    screen.answer({"openings": gone, "batches": [_told(one, backups) for one in batches], "waiting": len(after.requests)})


@app.command("status")
def status(*, folder: Dir = None, as_json: Json = False) -> None:
    """Show who waits for what, the last batches and when each is complete, and what legal holds keep past its time."""
    from ecluse.cli.reach import load
    from ecluse.ledger.erase import standing

    screen, installation = Screen(as_json=as_json), load(folder)
    kept, zone = installation.settings.retention, installation.settings.zone
    backups = timedelta(days=kept.backups_days)

    async def work(connection: Connection, _: int) -> Standing:
        return await standing(connection, kept.openings_months)

    found = _do(installation, work)
    screen.say(
        f"Openings are kept for {counted(kept.openings_months, 'month')}, backups for {counted(kept.backups_days, 'day')}; "
        f"each night from {kept.hour:02}:00 on, what is due goes."
    )
    _show(screen, found, backups, zone)
    screen.answer(
        {
            "openings_months": kept.openings_months,
            "backups_days": kept.backups_days,
            "requests": [_asked(one) for one in found.requests],
            "batches": [_told(one, backups) for one in found.batches],
            "kept": found.kept,
        }
    )


def _show(screen: Screen, found: Standing, backups: timedelta, zone: tzinfo) -> None:
    """Write the three tables; of whom the requests are is not in them."""
    waiting = [
        (one.id, local_time(one.requested_at, zone), one.requested_by, one.reason, _until(one, zone)) for one in found.requests
    ]
    heads = ("request", "asked", "by", "why", "waits for")
    screen.table(heads, waiting, title="\nPersons asked for", empty="None: what was asked for is done, and forgotten.")
    done = [(one.index, one.count, local_time(one.sealed_at, zone), _complete(one, backups, zone)) for one in found.batches]
    screen.table(("entry", "openings", "sealed", "complete"), done, title="\nLast batches", empty="There was none yet.")
    if found.kept:
        kept = [(one.hold, one.scope, one.openings) for one in found.kept]
        screen.table(("hold", "on a", "openings past their time"), kept, title="\nKept by legal holds")


def _do(installation: Installation, work: Callable[[Connection, int], Awaitable[Any]]) -> Any:  # noqa: ANN401 - what `work` returns
    """Do some work as the role that may call what forgets, with the number of the log that is written now."""
    import asyncpg

    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import on_log
    from ecluse.install import LOG_ID
    from ecluse.ledger.serve import current_log

    async def begin(connection: Connection) -> object:
        try:
            return await work(connection, await current_log(connection, LOG_ID))
        except asyncpg.LockNotAvailableError:
            refused = Refusal("erasure", "another process is at it", "Wait until `ecluse erase status` shows its batch as done")
        raise refused  # outside the handler: the driver's text is not its context

    return on_log(installation, begin, role=JOBS)


def _until(request: Request, zone: tzinfo) -> str:
    """Say what a request waits for."""
    if request.batch is not None:
        return "the rest of its batch, which is sealed"
    return _WAITS[request.why] + (f" ({local_time(request.until, zone)})" if request.until else "")


def _complete(batch: Batch, backups: timedelta, zone: tzinfo) -> str:
    """Say when the last backup is gone that still holds what a batch erased."""
    at = batch.complete_at(backups)
    if at is None:
        return "under way: `ecluse erase run` goes on with it"
    return f"{'since' if at <= clock.now() else 'from'} {local_time(at, zone)}"


def _asked(request: Request) -> dict[str, object]:
    """Write a request for programs."""
    return {
        "request": request.id, "asked": request.requested_at, "by": request.requested_by, "reason": request.reason, "waits_for": request.why,
        "until": request.until,
    }  # fmt: skip


def _told(batch: Batch, backups: timedelta) -> dict[str, object]:
    """Write a batch for programs."""
    return {
        "entry": batch.index, "openings": batch.count, "sealed": batch.sealed_at, "done": batch.done_at, "complete": batch.complete_at(backups),
    }  # fmt: skip
