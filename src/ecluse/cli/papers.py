"""``ecluse papers``: what the law wants in writing, printed from the configuration that decides: annexes, records, a dossier."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from ecluse.cli.edge import REFUSED
from ecluse.cli.options import Dir, Json, flag
from ecluse.cli.screen import Screen, counted

if TYPE_CHECKING:
    from ecluse.db import Connection
    from ecluse.papers.blocks import Paper
    from ecluse.papers.facts import Said
    from ecluse.papers.model import Facts, Language, ProcessorFacts
    from ecluse.settings import Installation

app = typer.Typer(
    no_args_is_help=True,
    help="Papers from the live configuration: Art. 28 annexes, Art. 30 records, an audit dossier. They change nothing.",
)

JOBS: Final = "ecluse_jobs"
READER: Final = "ecluse_reader"


class Lang(StrEnum):
    """The languages of papers."""

    FR = "fr"
    EN = "en"


Whose: TypeAlias = Annotated[str, typer.Argument(metavar="PROCESSOR", help="The processor's id, such as `lyon-formation`.")]
At: TypeAlias = Annotated[
    datetime | None,
    typer.Option(
        "--at", formats=["%Y-%m-%d"], metavar="DAY", help="As it stood at the end of that day, 2026-01-31.", show_default="now"
    ),
]
In: TypeAlias = Annotated[Lang, typer.Option("--lang", help="The paper's language.")]
Out: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="The PDF to write: a new file.", show_default="named after the paper", dir_okay=False
    ),
]
Draft: TypeAlias = Annotated[bool, flag("--draft", help="Exit with 0 though something that the law asks for is missing.")]


@app.command()
def annexes(
    processor: Whose,
    *,
    at: At = None,
    lang: In = Lang.FR,
    out: Out = None,
    draft: Draft = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Annexes I to IV of the standard clauses (EU) 2021/915, filled from the contract in force, with what changed since it was signed."""
    from ecluse.papers.annexes import write_annexes

    _print(
        _Order("annexes", processor, at, lang, out, draft=draft),
        folder,
        Screen(as_json=as_json),
        lambda f, p, lang: write_annexes(f, _one(p), lang),
    )


@app.command()
def record(
    *, at: At = None, lang: In = Lang.FR, out: Out = None, draft: Draft = False, folder: Dir = None, as_json: Json = False
) -> None:
    """The controller's record of processing activities (evidence for Art. 30(1)), with what the ledger saw."""
    from ecluse.papers.record import write_record

    _print(
        _Order("record", None, at, lang, out, draft=draft),
        folder,
        Screen(as_json=as_json),
        lambda f, _, lang: write_record(f, lang),
    )


@app.command("processor-record")
def processor_record(
    processor: Whose,
    *,
    at: At = None,
    lang: In = Lang.FR,
    out: Out = None,
    draft: Draft = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """A processor's own record (evidence for Art. 30(2)), to be handed to it: nobody of the controller's staff is named."""
    from ecluse.papers.record import write_processor_record

    order = _Order("processor-record", processor, at, lang, out, draft=draft)
    _print(order, folder, Screen(as_json=as_json), lambda f, p, lang: write_processor_record(f, _one(p), lang))


@app.command()
def dossier(
    processor: Whose,
    *,
    at: At = None,
    lang: In = Lang.FR,
    out: Out = None,
    draft: Draft = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """The audit dossier of one processor: contract, documents good on that day, gate, findings, overrides, numbers, and proofs to check."""
    from ecluse.papers.dossier import write_dossier

    _print(
        _Order("dossier", processor, at, lang, out, draft=draft),
        folder,
        Screen(as_json=as_json),
        lambda f, p, lang: write_dossier(f, _one(p), lang),
    )


class _Order:
    """What was asked for on the command line."""

    def __init__(
        self, kind: str, processor: str | None, at: datetime | None, lang: Lang, out: Path | None, *, draft: bool
    ) -> None:
        """Take it as it was given."""
        self.kind, self.processor, self.day, self.lang, self._out, self.draft = (
            kind,
            processor,
            at.date() if at else None,
            lang,
            out,
            draft,
        )

    def path(self, day: date) -> Path:
        """Return where the paper goes."""
        return self._out or Path("-".join(filter(None, (self.kind, self.processor, day.isoformat(), self.lang))) + ".pdf")


Write: TypeAlias = "Callable[[Facts, ProcessorFacts | None, Language], Paper]"


def _one(processor: ProcessorFacts | None) -> ProcessorFacts:
    """Return the processor that a paper is of."""
    if processor is None:
        raise AssertionError("impossible: facts of a processor without it")
    return processor


def _print(order: _Order, folder: Path | None, screen: Screen, write: Write) -> None:
    """Assemble the facts, write the paper, typeset it, tell what is missing."""
    from ecluse.papers.model import Language
    from ecluse.papers.typeset import typeset

    facts = facts_of(folder, screen, order.day, only=order.processor)
    paper = write(facts, facts.processor(order.processor) if order.processor else None, Language(order.lang))
    with screen.working("Typesetting"):
        pdf = typeset(paper)
    path = order.path(facts.at.date())
    save(path, pdf)
    _tell(screen, paper, path, pdf)
    screen.answer({
        "file": str(path), "paper": paper.kind, "language": paper.language, "at": facts.at, "processor": order.processor, "bytes": len(pdf),
        "facts_hash": paper.facts_hash, "ledger_size": facts.ledger.size, "ledger_root": facts.ledger.root, "complete": not paper.missing,
        "missing": paper.missing, "facts": facts,
    })  # fmt: skip
    if paper.missing and not order.draft:
        raise typer.Exit(REFUSED)


def facts_of(folder: Path | None, screen: Screen, day: date | None, *, only: str | None = None) -> Facts:
    """Assemble the facts of an installation at the end of a day (None: now), the ledger counted first so that its numbers are of this minute."""
    from ecluse import install
    from ecluse.cli.reach import load, require_log, run, with_connection
    from ecluse.contracts.gate import day_after
    from ecluse.flows.service import fold_all
    from ecluse.papers.facts import assemble

    installation = load(folder)
    said = said_of(installation)
    ends = (
        None
        if day is None or day >= _today(installation)
        else day_after(day, installation.settings.zone) - timedelta(microseconds=1)
    )
    if day is not None and day > _today(installation):
        from ecluse.papers.errors import PaperTooEarly

        raise PaperTooEarly(day.isoformat())

    async def read(connection: Connection) -> Facts:
        await require_log(connection)
        return await assemble(connection, said, ends, only=only)

    with install.databases(installation) as reached, screen.working("Counting the ledger"):
        run(with_connection(installation, reached, JOBS, fold_all))
        return run(with_connection(installation, reached, READER, read))


def _today(installation: Installation) -> date:
    """Return the controller's day; the database's clock has the last word on whether it has come."""
    from ecluse import clock

    return clock.now().astimezone(installation.settings.zone).date()


def said_of(installation: Installation) -> Said:
    """Read what the installation's files say."""
    from ecluse.cli.reach import read_text, register_map
    from ecluse.papers.activity import FILE, parse_activity
    from ecluse.papers.facts import Said

    path = installation.folder / FILE
    activity, joint = parse_activity(read_text(path) if path.exists() else "")
    return Said(
        settings=installation.settings,
        register=register_map(installation.folder / "register.toml"),
        activity=activity,
        joint=joint,
    )


def save(path: Path, content: bytes) -> None:
    """Write a new file for its owner; the very same one may be there already."""
    from ecluse.errors import ConfigurationError

    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except FileExistsError:
        if not path.is_file() or path.read_bytes() != content:
            raise ConfigurationError(str(path), "there is something else already", "Name another file with --out") from None
    except OSError as bad:
        raise ConfigurationError(str(path), f"it can't be written ({bad.strerror})", "Name a file in a folder of yours") from bad


def _tell(screen: Screen, paper: Paper, path: Path, pdf: bytes) -> None:
    """Say what was written, and what is missing in it."""
    screen.say(f"{paper.title}: {path} ({counted(len(pdf) // 1024, 'KiB', 'KiB')}, PDF/A-2b, PDF/UA-1)", style="bold")
    screen.pairs([("facts", f"SHA-256 {paper.facts_hash}")])
    if not paper.missing:
        screen.say("Nothing that the law asks for in it is missing.", style="green")
        return
    screen.say()
    screen.table(
        ("missing", "asked for by", "of", "say it in"), [(each.en, each.article, each.processor or "-", each.say or "-") for each in paper.missing],
        title=f"{counted(len(paper.missing), 'field')} that the law asks for {'is' if len(paper.missing) == 1 else 'are'} empty; the paper shows marked boxes",
    )  # fmt: skip
