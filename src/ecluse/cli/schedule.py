"""``ecluse schedule``: files of who is due when, where and with whom, those that wait for a second person, and changes by hand."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecluse.cli.edge import REFUSED
from ecluse.cli.options import Dir, Json, flag
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from ecluse.schedule import ScheduleFindings
    from ecluse.schedule.reports import Book, ImportReport, Sender
    from ecluse.settings import Installation

app = typer.Typer(no_args_is_help=True, help="Schedules: only the controller says who is due when, where and with whom.")

_COUNTS = {
    "sessions_new": "new sessions",
    "sessions_moved": "sessions moved",
    "sessions_unchanged": "sessions as they were",
    "sessions_handed_over": "sessions that go to another processor",
    "places_new": "new places",
    "places_cancelled": "places cancelled",
    "places_reinstated": "places reinstated",
    "places_handed_over": "places that go with them",
    "places_unchanged": "places as they were",
    "places_absent": "cancelled places that were never known",
}


class FileMode(StrEnum):
    """How a file is read; the same words as `ecluse.schedule.model.FILE_MODES`."""

    DELTA = "delta"
    SNAPSHOT = "snapshot"


SourceName = Annotated[str, typer.Argument(help="The source, as its file names it.")]
SessionRef = Annotated[str, typer.Argument(help="The session_ref, as its file names it.")]
RequestId = Annotated[str, typer.Argument(help="The request's id (imp_…), as `ecluse schedule requests` shows it.")]


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="The schedule (CSV or JSON).", dir_okay=False)],
    *,
    kind: Annotated[str | None, typer.Option(help="csv or json.", show_default="by the file's ending")] = None,
    mode: Annotated[
        FileMode, typer.Option(help="delta leaves alone what the file does not name; snapshot cancels it, if it is ahead.")
    ] = FileMode.DELTA,
    confirm: Annotated[
        int | None,
        typer.Option(help="Of a snapshot that cancels much: the number of cancellations that the dry run told.", min=0),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Whose snapshot it is; one without rows has to say.")] = None,
    dry_run: Annotated[bool, flag("--dry-run", help="Check only: say what it would change.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Import a schedule: all of the file takes effect in one sealed instant, or nothing does.

    Columns: source, session_ref, place_ref, subject_ref, purpose, processor, site, room, starts_at, ends_at, agents, status; course_ref may be left out.
    No value of the file is ever shown: a problem names row, column, reason and mend.
    """
    from ecluse.cli.reach import load, read_bytes
    from ecluse.schedule.service import import_schedule

    screen, installation = Screen(as_json=as_json), load(folder)
    content = read_bytes(file)

    async def work(book: Book, sender: Sender) -> ImportReport:
        return await import_schedule(
            book.pool, file_bytes=content, kind=kind or file.suffix.lower().removeprefix("."), actor=sender.name, dry_run=dry_run,
            register=book.register, zone=book.zone, mode=mode.value, confirm=confirm, source=source, log_id=book.log_id,
        )  # fmt: skip

    with screen.working("Checking" if dry_run else "Checking and importing"):
        report = _on_book(installation, work)
    _tell(screen, str(file), installation, report)


@app.command("requests")
def list_requests(*, folder: Dir = None, as_json: Json = False) -> None:
    """List the files above a contract's volume that wait for a second person. They have no effect, and are gone after 72 hours."""
    import msgspec

    from ecluse.cli.reach import load, on_log
    from ecluse.schedule.service import waiting

    screen, installation = Screen(as_json=as_json), load(folder)
    found = on_log(installation, waiting)
    zone = installation.settings.zone
    rows = [(one.id, one.source, one.rows, one.excess, one.requested_by, local_time(one.expires_at, zone)) for one in found]
    screen.table(
        ("request", "source", "rows", "above the volume", "sent by", "expires"), rows, empty="No file waits for a second person."
    )
    screen.answer({"requests": msgspec.to_builtins(found)})


@app.command("approve")
def approve_request(request: RequestId, *, folder: Dir = None, as_json: Json = False) -> None:
    """Approve a file as its second person: it is checked again, and must do what it would have done when it was sent."""
    from ecluse.cli.reach import load
    from ecluse.schedule.service import approve

    screen, installation = Screen(as_json=as_json), load(folder)

    async def work(book: Book, sender: Sender) -> ImportReport:
        return await approve(book, sender, request)

    _tell(screen, request, installation, _on_book(installation, work))


@app.command("withdraw")
def withdraw_request(request: RequestId, *, folder: Dir = None, as_json: Json = False) -> None:
    """Take back a file that waits for a second person."""
    from ecluse.cli.reach import load, on_log
    from ecluse.schedule.service import withdraw

    screen, installation = Screen(as_json=as_json), load(folder)
    on_log(installation, lambda connection: withdraw(connection, request))
    screen.say(f"Withdrawn: {request}.")
    screen.answer({"withdrawn": request})


@app.command("walk-in")
def add_walk_in(
    source: SourceName,
    session_ref: SessionRef,
    place_ref: Annotated[str, typer.Argument(help="Your own name of the place, new in this session.")],
    subject: Annotated[
        str,
        typer.Argument(
            help="The person's subject_ref; `-` reads it from standard input, so that it stays out of the shell's history."
        ),
    ],
    *,
    course: Annotated[str, typer.Option(help="The course_ref.", show_default="the purpose")] = "",
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Add one person who is here now to a session whose window is open, within the room's capacity."""
    from ecluse.cli.reach import load
    from ecluse.schedule.service import walk_in

    screen, installation = Screen(as_json=as_json), load(folder)
    person = sys.stdin.readline().strip() if subject == "-" else subject

    async def work(book: Book, sender: Sender) -> ImportReport:
        return await walk_in(
            book, sender, source=source, session_ref=session_ref, place_ref=place_ref, subject_ref=person, course_ref=course
        )

    _tell(screen, "the walk-in", installation, _on_book(installation, work))


@app.command("substitute")
def substitute_agents(
    source: SourceName,
    session_ref: SessionRef,
    agents: Annotated[list[str], typer.Argument(help="The agents (agt_…) of the session from now on; `none`: it has no roster.")],
    *,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Replace the agents of a session at once; all else stays as it is."""
    from ecluse.cli.reach import load
    from ecluse.schedule.service import substitute

    screen, installation = Screen(as_json=as_json), load(folder)
    chosen = [] if agents == ["none"] else agents

    async def work(book: Book, sender: Sender) -> ImportReport:
        return await substitute(book, sender, source=source, session_ref=session_ref, agents=chosen)

    _tell(screen, "the substitution", installation, _on_book(installation, work))


def _on_book(installation: Installation, work: Callable[[Book, Sender], Awaitable[ImportReport]]) -> ImportReport:
    """Change the schedule through a small pool, as the gate does, in the name of who is at the keyboard."""
    from ecluse import install
    from ecluse.cli.reach import APP, actor, register_map, require_log, run
    from ecluse.db import open_pool
    from ecluse.install import LOG_ID
    from ecluse.schedule.reports import Book, Sender
    from ecluse.settings import with_user

    mapped = register_map(installation.folder / "register.toml")

    async def reached_work(database_url: str) -> ImportReport:
        dsn = with_user(database_url, APP, installation.secret("db-app.password"))
        async with await open_pool(dsn, size=1, name="cli") as pool:
            async with pool.acquire() as connection:
                await require_log(connection)
            book = Book(pool=pool, register=mapped, zone=installation.settings.zone, log_id=LOG_ID)
            return await work(book, Sender(name=actor()))

    with install.databases(installation) as reached:
        return run(reached_work(reached.database_url))


def _tell(screen: Screen, what: str, installation: Installation, report: ImportReport) -> None:
    """Say what came of it; exit with 1 where nothing was applied that should have been."""
    import msgspec

    from ecluse.schedule.reports import ImportApplied, ImportChecked, ImportHeld, ImportRefused

    if isinstance(report, ImportRefused):
        _list(screen, f"{what}: {counted(report.findings.total, 'problem')}, so nothing was applied", report.findings)
    else:
        _summarise(screen, what, report)
        _list(screen, f"{counted(report.warnings.total, 'warning')}: it may be meant", report.warnings)
    if isinstance(report, ImportChecked | ImportHeld):
        _list(screen, f"{counted(report.excess.total, 'row')} above the contract's volume", report.excess)
    if isinstance(report, ImportHeld):
        until = local_time(report.expires_at, installation.settings.zone)
        screen.say(
            f"It waits for a second person until {until}. Another account: ecluse schedule approve {report.request}",
            style="yellow",
        )
    facts: dict[str, Any] = msgspec.to_builtins(report)
    screen.answer({"applied": isinstance(report, ImportApplied), **facts})
    if isinstance(report, ImportRefused | ImportHeld):
        raise typer.Exit(REFUSED)


def _summarise(screen: Screen, what: str, report: ImportReport) -> None:
    """Say in a line what was done or would be, and its figures."""
    import msgspec

    from ecluse.schedule.reports import ImportApplied, ImportChecked, ImportRefused

    if isinstance(report, ImportRefused):
        return
    if isinstance(report, ImportApplied):
        screen.say(f"Applied: {what}, sealed as entry {report.index} of the ledger.", style="green")
    else:
        screen.say(f"{what} is in order. Nothing was applied; this is what it would change:", style="green")
    counts = [(_COUNTS[name], number) for name, number in msgspec.to_builtins(report.counts).items() if number]
    screen.pairs([("source", report.source), *(counts or [("changes", "none: all of it is so already")])])
    if isinstance(report, ImportChecked) and report.confirm is not None:
        screen.say(f"It cancels more than a tenth of what is ahead. If that is meant: --confirm {report.confirm}", style="yellow")


def _list(screen: Screen, title: str, findings: ScheduleFindings) -> None:
    """Show rows with column, reason and mend, if there are any."""
    if not findings.total:
        return
    rows = [(problem.row, problem.column or "", problem.why, problem.mend) for problem in findings.problems]
    screen.table(("row", "column", "why", "mend"), rows, title=title)
    if findings.truncated:
        screen.say(f"… and {findings.total - len(rows)} more.")
