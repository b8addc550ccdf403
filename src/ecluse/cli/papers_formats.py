"""``ecluse papers``, continued: the same facts for machines and spreadsheets, and the papers about Écluse itself."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ecluse.cli.edge import REFUSED
from ecluse.cli.options import Dir, Json
from ecluse.cli.papers import READER, At, Draft, In, Lang, app, facts_of, save
from ecluse.cli.screen import Screen, counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from ecluse.db import Connection
    from ecluse.papers.ciso import Difference
    from ecluse.papers.model import Facts, ProcessorFacts
    from ecluse.papers.own import OwnFacts
    from ecluse.papers.workbook import Table

__all__ = ["app"]

ciso_app = typer.Typer(
    no_args_is_help=True, help="Workbooks for CISO Assistant's import: third parties, evidence, the processing; and back."
)
app.add_typer(ciso_app, name="ciso")

Maybe: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="[PROCESSOR]", help="Of this processor (Art. 30(2)); else the controller's own record (Art. 30(1))."),
]
To: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="The file to write: a new one.", show_default="named after the paper", dir_okay=False
    ),
]


class OwnName(StrEnum):
    """The papers about Écluse itself."""

    DPIA = "dpia"
    NOTICE = "notice"
    RECORD = "record"
    PIA = "pia"


class Shape(StrEnum):
    """What a text is written as."""

    PDF = "pdf"
    MARKDOWN = "md"


@app.command("sheet")
def sheet(
    processor: Maybe = None,
    *,
    at: At = None,
    lang: In = Lang.FR,
    out: To = None,
    draft: Draft = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """The record as a spreadsheet (.ods) in the order of the CNIL's model: a list, a sheet for each purpose, one for Écluse itself."""
    from ecluse.papers.model import Language
    from ecluse.papers.ods import write_ods
    from ecluse.papers.own import OwnPaper, own_paper
    from ecluse.papers.sheets import processor_sheets, record_sheets

    screen, language = Screen(as_json=as_json), Language(lang)
    facts = facts_of(folder, screen, at.date() if at else None, only=processor)
    of = facts.processor(processor) if processor else None
    if of is not None:
        sheets = processor_sheets(facts, of, language)
    else:
        own = own_paper(OwnPaper.RECORD, language, own_facts(folder, facts), _zone(folder))
        sheets = record_sheets(facts, language, own)
    title = f"{facts.controller.name}: {of.body.name if of is not None else facts.register_name}"
    content = write_ods(sheets, title=title, language=language, at=facts.at)
    _wrote(screen, facts, of, content, out or _named("record", processor, facts, lang, "ods"), draft=draft)


@app.command("jsonld")
def jsonld(
    processor: Maybe = None,
    *,
    at: At = None,
    lang: In = Lang.FR,
    out: To = None,
    draft: Draft = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """The record as linked data: JSON-LD in the words of the Data Privacy Vocabulary 2.3, to be read without a network."""
    from ecluse.papers.jsonld import linked_processor_record, linked_record
    from ecluse.papers.model import Language

    screen, language = Screen(as_json=as_json), Language(lang)
    facts = facts_of(folder, screen, at.date() if at else None, only=processor)
    of = facts.processor(processor) if processor else None
    content = linked_record(facts, language) if of is None else linked_processor_record(facts, of, language)
    _wrote(screen, facts, of, content, out or _named("record", processor, facts, lang, "jsonld"), draft=draft)


@app.command("suppliers")
def suppliers(*, at: At = None, out: To = None, folder: Dir = None, as_json: Json = False) -> None:
    """The directory of suppliers as CSV: contact points and services, sub-processors too (evidence for 2024/2690, annex, 5.2)."""
    from ecluse.papers.suppliers import supplier_directory

    screen = Screen(as_json=as_json)
    facts = facts_of(folder, screen, at.date() if at else None)
    _plainly(screen, facts, supplier_directory(facts), out or _named("suppliers", None, facts, None, "csv"))


@ciso_app.command("ecosystem")
def ecosystem(*, at: At = None, out: To = None, folder: Dir = None, as_json: Json = False) -> None:
    """Third parties, what they do, and contracts: three sheets for the import named TPRM there."""
    from ecluse.papers.ciso import ecosystem_of, ecosystem_tables

    _workbook("ciso-ecosystem", lambda facts: ecosystem_tables(ecosystem_of(facts)), at, out, folder, Screen(as_json=as_json))


@ciso_app.command("evidence")
def evidence(*, at: At = None, out: To = None, folder: Dir = None, as_json: Json = False) -> None:
    """The documents accepted for each processor, by title, date and hash: one sheet for the import named Evidence there."""
    from ecluse.papers.ciso import evidence_tables

    _workbook("ciso-evidence", evidence_tables, at, out, folder, Screen(as_json=as_json))


@ciso_app.command("processing")
def processing(*, at: At = None, out: To = None, folder: Dir = None, as_json: Json = False) -> None:
    """The processing with purposes, data, persons, recipients, contractors, transfers: for the import named Processing, after the ecosystem's."""
    from ecluse.papers.ciso import processing_tables

    _workbook("ciso-processing", processing_tables, at, out, folder, Screen(as_json=as_json))


@ciso_app.command("compare")
def compare(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A workbook of third parties: one that CISO Assistant exported, or ours.")
    ],
    *,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Say where a workbook departs from the contracts in force. Changes nothing, here or there."""
    from ecluse.cli.reach import read_bytes
    from ecluse.papers.ciso import compare as compared
    from ecluse.papers.ciso import ecosystem_of, read_ecosystem

    screen = Screen(as_json=as_json)
    theirs = read_ecosystem(read_bytes(file))
    found = compared(ecosystem_of(facts_of(folder, screen, None)), theirs)
    if not found:
        screen.say("The workbook says what the contracts in force say.", style="green")
    else:
        screen.table(("sheet", "ref_id", "what", "here", "there"), map(_told, found), title=counted(len(found), "difference"))
    screen.answer({"file": str(file), "same": not found, "differences": found})
    if found:
        raise typer.Exit(REFUSED)


def _told(each: Difference) -> tuple[str, ...]:
    """Say one difference in a row."""
    what = {"missing": "not in the workbook", "unknown": "no contract in force says it", "differs": each.column}[each.kind]
    return (each.sheet, each.ref_id, what, each.ours or "-", each.theirs or "-")


@app.command("own")
def own(
    paper: Annotated[
        OwnName,
        typer.Argument(help="Impact assessment, notice to staff, sheet for the record, or the file for the CNIL's PIA tool."),
    ],
    *,
    lang: In = Lang.FR,
    shape: Annotated[Shape, typer.Option("--as", help="What to write; the PIA file is always JSON.")] = Shape.PDF,
    out: To = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Papers about Écluse itself, filled for this installation: for the controller to complete, weigh and sign."""
    from ecluse.papers.model import Language
    from ecluse.papers.own import OwnPaper, own_paper
    from ecluse.papers.own_print import lay_out
    from ecluse.papers.pia import pia_file
    from ecluse.papers.text import to_markdown
    from ecluse.papers.typeset import typeset

    screen, language, facts = Screen(as_json=as_json), Language(lang), own_facts(folder)
    zone = _zone(folder)
    text = own_paper(OwnPaper.DPIA if paper is OwnName.PIA else OwnPaper(paper), language, facts, zone)
    if paper is OwnName.PIA:
        content, ending = pia_file(text, facts.at), "json"
    elif shape is Shape.MARKDOWN:
        content, ending = to_markdown(text).encode(), "md"
    else:
        content, ending = typeset(lay_out(text, language, facts, zone)), "pdf"
    path = out or Path(f"ecluse-{paper}-{facts.at.astimezone(zone):%Y-%m-%d}-{lang}.{ending}")
    save(path, content)
    screen.say(f"{text.title}: {path} ({counted(max(1, len(content) // 1024), 'KiB', 'KiB')})", style="bold")
    screen.say("Complete what is marked, weigh it, sign it: it is evidence, not a verdict.")
    screen.answer({"file": str(path), "paper": paper, "language": lang, "at": facts.at, "bytes": len(content)})


def own_facts(folder: Path | None, facts: Facts | None = None) -> OwnFacts:
    """Read what our own papers name: settings, the schema's retention, the hour (that of ``facts``, where there are some)."""
    from ecluse import clock
    from ecluse.cli.reach import load, on_database
    from ecluse.papers.facts import controller_of
    from ecluse.papers.own import OwnFacts, parse_kept
    from ecluse.papers.store import rows_of

    installation = load(folder)
    retention = installation.settings.retention

    async def read(connection: Connection) -> OwnFacts:
        rows = await rows_of(connection, "paper_kept")
        return OwnFacts(
            at=facts.at if facts is not None else clock.now(), controller=controller_of(installation.settings), openings_months=retention.openings_months,
            backups_days=retention.backups_days, kept=tuple(parse_kept(row["name"], row["said"]) for row in rows),
        )  # fmt: skip

    return on_database(installation, READER, read)


def _zone(folder: Path | None) -> ZoneInfo:
    """Return the controller's time zone."""
    from ecluse.cli.reach import load

    return load(folder).settings.zone


def _named(kind: str, processor: str | None, facts: Facts, lang: Lang | None, ending: str) -> Path:
    """Name a file after what it is."""
    return Path("-".join(filter(None, (kind, processor, f"{facts.at:%Y-%m-%d}", lang))) + f".{ending}")


def _workbook(
    kind: str,
    lay: Callable[[Facts], tuple[Table, ...]],
    at: datetime | None,
    out: Path | None,
    folder: Path | None,
    screen: Screen,
) -> None:
    """Write one workbook."""
    from ecluse.papers.workbook import write_workbook

    facts = facts_of(folder, screen, at.date() if at else None)
    tables = lay(facts)
    content = write_workbook(tables, facts.at)
    screen.pairs([(table.name, counted(len(table.rows), "row")) for table in tables])
    _plainly(screen, facts, content, out or _named(kind, None, facts, None, "xlsx"))


def _plainly(screen: Screen, facts: Facts, content: bytes, path: Path) -> None:
    """Write a file that no law gives fields to."""
    from ecluse.papers.model import facts_hash

    save(path, content)
    screen.say(f"{path} ({counted(max(1, len(content) // 1024), 'KiB', 'KiB')})", style="bold")
    screen.answer({"file": str(path), "at": facts.at, "bytes": len(content), "facts_hash": facts_hash(facts)})


def _wrote(screen: Screen, facts: Facts, of: ProcessorFacts | None, content: bytes, path: Path, *, draft: bool) -> None:
    """Write a record; say what the law asks for and nobody said."""
    from zoneinfo import ZoneInfo

    from ecluse.papers.missing import missing_of
    from ecluse.papers.model import PaperKind, facts_hash

    kind = PaperKind.RECORD if of is None else PaperKind.PROCESSOR_RECORD
    missing = missing_of(kind, facts, of, facts.at.astimezone(ZoneInfo(facts.timezone)).date())
    save(path, content)
    screen.say(f"{path} ({counted(max(1, len(content) // 1024), 'KiB', 'KiB')})", style="bold")
    if missing:
        screen.table(
            ("missing", "asked for by", "of", "say it in"), [(each.en, each.article, each.processor or "-", each.say or "-") for each in missing],
            title=f"{counted(len(missing), 'field')} that the law asks for {'is' if len(missing) == 1 else 'are'} empty",
        )  # fmt: skip
    else:
        screen.say("Nothing that the law asks for in it is missing.", style="green")
    screen.answer({
        "file": str(path), "paper": kind, "at": facts.at, "bytes": len(content), "facts_hash": facts_hash(facts), "complete": not missing, "missing": missing,
    })  # fmt: skip
    if missing and not draft:
        raise typer.Exit(REFUSED)
