"""``ecluse evidence``: documents for or against a processor, from being handed in to being accepted, withdrawn or read back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ecluse.cli.edge import Refusal
from ecluse.cli.foretold import ask, look_ahead, maybe_day, read_day, show_foreseen, told
from ecluse.cli.options import Dir, Json, ProcessorName, Yes, flag
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from datetime import date, tzinfo

    from ecluse.db import Connection
    from ecluse.evidence import Evidence, Fault, NamedSubProcessor, Submission
    from ecluse.evidence.service import Foreseen, Submitted
    from ecluse.ledger.service import Control
    from ecluse.settings import Installation

app = typer.Typer(no_args_is_help=True, help="Evidence: documents that contracts ask for. One counts once a person accepted it.")
EvidenceId: TypeAlias = Annotated[str, typer.Argument(help="The document's id: evd_… (`ecluse evidence list` shows them).")]


@app.command()
def submit(  # noqa: PLR0913 - one option each
    processor: ProcessorName,
    file: Annotated[
        Path, typer.Argument(help="The document: PDF, PNG, JPEG, text, CSV, XLSX or ODS, at most 20 MiB.", dir_okay=False)
    ],
    *,
    kind: Annotated[str, typer.Option(help="What it is, as contracts call it: pentest, iso27001, personnel-list …")],
    title: Annotated[str, typer.Option(help="What it is called.")],
    issuer: Annotated[str, typer.Option(help="Who made it.")],
    reviewed_on: Annotated[
        str, typer.Option(metavar="DAY", help="When it was made or last reviewed, such as 2026-01-31: its age counts from there.")
    ],
    scope: Annotated[str, typer.Option(help="What it is about, in words.")] = "",
    site: Annotated[list[str] | None, typer.Option(help="A site that it covers; may be said again.", show_default="all")] = None,
    begins: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="The first day of the time that it is about.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="The last day of that time.")] = None,
    ends_on: Annotated[str | None, typer.Option(metavar="DAY", help="Its own last day, where it has one.")] = None,
    bridges: Annotated[str | None, typer.Option(metavar="ID", help="It is a bridge letter: the evd_… that it prolongs.")] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            "--list",
            help="Of a list of sub-processors: its rows as CSV, XLSX or TOML.",
            show_default="the document",
            dir_okay=False,
        ),
    ] = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Hand in a document. It is kept encrypted, and counts for nothing until a person accepts it."""
    from ecluse.cli.reach import load, read_bytes
    from ecluse.evidence import Submission

    screen, installation = Screen(as_json=as_json), load(folder)
    content = read_bytes(file)
    asked = Submission(
        processor=processor, kind=kind, title=title, issuer=issuer, scope=scope, sites=tuple(site or ()), period=_period(begins, until),
        reviewed_on=read_day("--reviewed-on", reviewed_on), ends_on=maybe_day("--ends-on", ends_on), bridges=bridges,
        sub_processors=_rows(kind, content, rows),
    )  # fmt: skip
    submitted = _submit(installation, asked, content)
    found = submitted.evidence
    _show_warnings(screen, submitted.warnings)
    screen.say(
        f"{found.id} is kept: {found.media_type}, {counted(found.size_bytes, 'byte')}, SHA-256 {found.sha256}", style="green"
    )
    screen.say(f"It moves no gate until somebody has read and accepted it: ecluse evidence accept {found.id}")
    screen.answer({"evidence": found, "state": found.state, "warnings": submitted.warnings})


def _period(begins: str | None, until: str | None) -> tuple[date, date] | None:
    """Read the time that a document is about."""
    first, last = maybe_day("--from", begins), maybe_day("--until", until)
    if first is not None and last is not None:
        return first, last
    if first is not None or last is not None:
        raise typer.BadParameter("a time has a first and a last day: say both", param_hint="--from, --until")
    return None


def _rows(kind: str, content: bytes, rows: Path | None) -> tuple[NamedSubProcessor, ...]:
    """Read the rows of a list of sub-processors: of their own file, else of the document if it is a table."""
    from ecluse.cli.reach import read_bytes
    from ecluse.contracts import EvidenceKind
    from ecluse.evidence.parse import read_list, read_table

    if rows is not None:
        return read_list(read_bytes(rows), toml=rows.suffix.lower() == ".toml")
    return read_table(content) if kind == EvidenceKind.SUB_PROCESSOR_LIST else ()


def _submit(installation: Installation, asked: Submission, content: bytes) -> Submitted:
    """Hand it in."""
    from ecluse import install
    from ecluse.cli.reach import actor, attributes_of, on_log, register_map
    from ecluse.evidence import service

    attributes = attributes_of(register_map(installation.folder / "register.toml"))

    async def work(connection: Connection) -> Submitted:
        vault = await install.open_vault(installation, connection)
        return await service.submit(
            connection, vault, asked, content, actor=actor(), attributes=attributes, timezone=installation.settings.zone
        )

    return on_log(installation, work)


def _show_warnings(screen: Screen, warnings: tuple[Fault, ...]) -> None:
    """Show what to look at."""
    if warnings:
        screen.table(("level", "where", "why", "mend"), [("warn", each.where, each.why, each.mend) for each in warnings])
        screen.say()


@app.command()
def accept(evidence: EvidenceId, *, yes: Yes = False, folder: Dir = None, as_json: Json = False) -> None:
    """Let a document count from now on, in your name: shows what it says and what it changes for the gate, then asks.

    Read it first (`ecluse evidence fetch`): nothing is ever accepted by itself.
    """
    from ecluse import install
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.evidence import foresee, service
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)

    async def look(connection: Connection) -> tuple[Evidence, Foreseen | None]:
        found = await service.waiting_evidence(connection, evidence)
        return found, await look_ahead(
            connection, installation, found.processor, lambda standing, at: foresee.if_accepted(standing, found, at)
        )

    async def work(connection: Connection) -> Control:
        vault = await install.open_vault(installation, connection)
        return await service.accept(connection, vault, evidence, log_id=LOG_ID, actor=actor())

    found, foreseen = on_log(installation, look)
    own = found.submitted_by == actor()
    _show_one(screen, found, installation.settings.zone)
    if own:
        screen.say("You handed it in yourself: the record will show that one person did both.", style="bold yellow")
    show_foreseen(screen, found.processor, foreseen)
    ask(screen, f"Accept it as {actor()}?", yes=yes)
    sealed = on_log(installation, work)
    screen.say(f"{evidence} counts from now on, sealed as entry {sealed.index} of the ledger.", style="green")
    screen.answer({"evidence": evidence, "accepted_by": actor(), "own": own, "index": sealed.index, "gate": told(foreseen)})


@app.command()
def reject(
    evidence: EvidenceId,
    *,
    why: Annotated[str, typer.Option(help="Why, in words: whoever handed it in is shown them.")],
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Say no to a document that waits. It moves no gate; a better one is handed in anew."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.evidence import service

    screen, installation = Screen(as_json=as_json), load(folder)
    found = on_log(installation, lambda connection: service.reject(connection, evidence, actor=actor(), why=why))
    screen.say(f"{evidence} is rejected. {found.processor} is shown why.", style="green")
    screen.answer({"evidence": evidence, "rejected_by": actor(), "why": why})


@app.command()
def withdraw(evidence: EvidenceId, *, yes: Yes = False, folder: Dir = None, as_json: Json = False) -> None:
    """Let an accepted document count no more, from now on: shows what that changes for the gate, then asks."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.evidence import foresee, service
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)

    async def look(connection: Connection) -> tuple[Evidence, Foreseen | None]:
        found = await service.counting_evidence(connection, evidence)
        return found, await look_ahead(
            connection, installation, found.processor, lambda standing, at: foresee.if_withdrawn(standing, evidence, at)
        )

    found, foreseen = on_log(installation, look)
    _show_one(screen, found, installation.settings.zone)
    show_foreseen(screen, found.processor, foreseen)
    ask(screen, f"Withdraw it as {actor()}?", yes=yes)
    sealed = on_log(installation, lambda connection: service.withdraw(connection, evidence, log_id=LOG_ID, actor=actor()))
    screen.say(f"{evidence} counts no more, sealed as entry {sealed.index} of the ledger.", style="green")
    screen.answer({"evidence": evidence, "withdrawn_by": actor(), "index": sealed.index, "gate": told(foreseen)})


@app.command("list")
def list_documents(
    processor: Annotated[str | None, typer.Argument(help="The processor.", show_default="all")] = None,
    *,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    waiting: Annotated[bool, flag("--waiting", help="Only those that wait for somebody's yes or no.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """List documents, the newest first: what each is, where it stands, and the days that it counts by."""
    from ecluse.cli.reach import load, on_log
    from ecluse.evidence import EvidenceState, store

    screen, installation = Screen(as_json=as_json), load(folder)
    found = on_log(installation, lambda connection: store.list_evidence(connection, processor, kind))
    shown = [one for one in found if not waiting or one.state is EvidenceState.SUBMITTED]
    zone = installation.settings.zone
    screen.table(
        ("document", "processor", "kind", "state", "title", "reviewed", "ends", "handed in"),
        [
            (one.id, one.processor, one.kind, one.state.value, one.title, one.reviewed_on, one.ends_on or "", local_time(one.submitted_at, zone))
            for one in shown
        ],
        empty="No document waits." if waiting else "No document was handed in.",
    )  # fmt: skip
    screen.answer({"documents": [{"state": one.state, **_facts(one)} for one in shown]})


def _facts(one: Evidence) -> dict[str, object]:
    """Return a document's row for programs."""
    import msgspec

    return msgspec.structs.asdict(one)


@app.command()
def show(evidence: EvidenceId, *, folder: Dir = None, as_json: Json = False) -> None:
    """Show what is known of a document, and who did what with it. Its bytes: `ecluse evidence fetch`."""
    from ecluse.cli.reach import load, on_log
    from ecluse.evidence import service

    screen, installation = Screen(as_json=as_json), load(folder)
    found = on_log(installation, lambda connection: service.evidence_of(connection, evidence))
    _show_one(screen, found, installation.settings.zone)
    screen.answer({"state": found.state, **_facts(found)})


def _show_one(screen: Screen, found: Evidence, zone: tzinfo) -> None:
    """Show a document's row."""
    rows: list[tuple[str, object]] = [
        ("document", found.id),
        ("processor", found.processor),
        ("kind", found.kind),
        ("state", found.state.value),
        ("title", found.title),
        ("issued by", found.issuer),
        ("scope", found.scope or "not said"),
        ("sites", ", ".join(found.sites) or "all"),
        ("reviewed on", found.reviewed_on),
    ]
    rows += [("about", f"{found.period[0]} to {found.period[1]}")] if found.period else []
    rows += [("ends on", found.ends_on)] if found.ends_on else []
    rows += [("bridges", found.bridges)] if found.bridges else []
    rows += [("file", f"{found.media_type}, {counted(found.size_bytes, 'byte')}"), ("SHA-256", found.sha256)]
    done = (
        ("handed in", found.submitted_by, found.submitted_at),
        ("accepted", found.accepted_by, found.accepted_at),
        ("rejected", found.rejected_by, found.rejected_at),
        ("withdrawn", found.withdrawn_by, found.withdrawn_at),
    )
    rows += [(what, f"{local_time(at, zone)} by {who}") for what, who, at in done if at is not None]
    rows += [("because", found.rejected_why)] if found.rejected_why else []
    screen.pairs(rows)
    if found.sub_processors:
        screen.say()
        heads = ("sub-processor", "country", "role", "address", "contact")
        screen.table(heads, [(each.name, each.country, each.role, each.address, each.contact) for each in found.sub_processors])
    screen.say()


@app.command()
def fetch(
    evidence: EvidenceId,
    *,
    out: Annotated[Path, typer.Option(help="The file to write: a new one, for its owner only.", dir_okay=False)],
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Read a document back: decrypted, checked against its hash, written to a new file. One that was tampered with is an error, never a file."""
    from ecluse import install
    from ecluse.cli.reach import load, on_log
    from ecluse.evidence import service

    screen, installation = Screen(as_json=as_json), load(folder)

    async def work(connection: Connection) -> tuple[Evidence, bytes]:
        return await service.fetch(connection, await install.open_vault(installation, connection), evidence)

    found, content = on_log(installation, work)
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as bad:
        raise Refusal(str(out), f"it can't be written ({bad.strerror})", "Name a new file in a folder of yours") from None
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    screen.say(f"Written: {out} ({found.media_type}, {counted(len(content), 'byte')}, SHA-256 {found.sha256})", style="green")
    screen.say("It was checked for what acts by itself, not for viruses: open it on a machine that is kept up to date.")
    screen.answer({"evidence": evidence, "file": str(out), "media_type": found.media_type, "sha256": found.sha256})
