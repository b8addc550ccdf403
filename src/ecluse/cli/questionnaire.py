"""``ecluse questionnaire``: ask a processor how it protects what it is shown; judge what it answers. Nothing counts by itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ecluse.cli import responses
from ecluse.cli.edge import Refusal
from ecluse.cli.options import Dir, Json, ProcessorName, flag
from ecluse.cli.responses import ResponseId
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from ecluse.db import Connection
    from ecluse.evidence.questionnaire.model import Answer, Contact, Questionnaire

app = typer.Typer(
    no_args_is_help=True, help="Questionnaires: ask a processor, by link or workbook; accept what it answers as evidence."
)
Library: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--library", help="A library file of CISO Assistant (YAML).", show_default="our own short questionnaire", dir_okay=False
    ),
]
Language: TypeAlias = Annotated[
    str | None, typer.Option("--language", help="Its language: fr, en …", show_default="the questionnaire's own")
]
Out: TypeAlias = Annotated[Path, typer.Option("--out", "-o", help="The file to write; it must not be there yet.", dir_okay=False)]


def _asked(screen: Screen, library: Path | None) -> Questionnaire:
    """Read the library that was named, or take our own."""
    from ecluse.cli.reach import read_bytes
    from ecluse.evidence.questionnaire.library import read_library
    from ecluse.evidence.questionnaire.service import own_questionnaire

    if library is None:
        return own_questionnaire()
    reading = read_library(read_bytes(library))
    for note in reading.notes[:20]:
        screen.note(f"note: {note}")
    return reading.questionnaire


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet."""
    try:
        with path.open("xb") as stream:
            stream.write(content)
    except FileExistsError:
        raise Refusal(str(path), "there is a file already", "Name another, or remove it") from None
    except OSError as bad:
        raise Refusal(str(path), f"it can't be written ({bad.strerror})", "Name a place that you may write to") from bad


# ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@app.command()
def send(
    processor: ProcessorName,
    *,
    library: Library = None,
    language: Language = None,
    days: Annotated[int, typer.Option(help="How many days the link lives.", min=1, max=60)] = 14,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Make a link for one processor and one questionnaire. It is shown once: send it to the person who shall answer, and to nobody else."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.evidence.questionnaire import service

    screen, installation = Screen(as_json=as_json), load(folder)
    questionnaire = _asked(screen, library)
    spoken = language or questionnaire.locale
    sent = on_log(
        installation,
        lambda connection: service.send(connection, processor, questionnaire, language=spoken, actor=actor(), days=days),
    )
    link = f"{installation.settings.public_url}/questionnaire/{sent.secret}"
    until = local_time(sent.expires_at, installation.settings.zone)
    screen.say(
        f"{sent.response}: {questionnaire.ref_id} v{questionnaire.version} for {processor}, open until {until}.", style="green"
    )
    screen.say()
    screen.say(link, style="bold")
    screen.say()
    screen.say("Whoever has this link can answer for the processor. It is kept nowhere: lost, it is revoked and made anew.")
    screen.answer(
        {"response": sent.response, "processor": processor, "link": link, "expires_at": sent.expires_at, "language": spoken}
    )


@app.command()
def revoke(response: ResponseId, *, folder: Dir = None, as_json: Json = False) -> None:
    """End a link at once; what was answered behind it is not handed in."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.evidence.questionnaire import service

    screen, installation = Screen(as_json=as_json), load(folder)
    on_log(installation, lambda connection: service.revoke(connection, response, actor=actor()))
    screen.say(f"The link of {response} is closed.", style="green")
    screen.answer({"response": response, "revoked_by": actor()})


@app.command("export")
def export_workbook(
    processor: ProcessorName,
    *,
    out: Out,
    library: Library = None,
    language: Language = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="ID", help="Begin from the answers of a response of this processor: qst_…")
    ] = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Write a workbook (XLSX) for a processor that answers without the link; `import` reads it back."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.evidence.questionnaire import service, workbook

    screen, installation = Screen(as_json=as_json), load(folder)
    chosen = _asked(screen, library)

    async def work(connection: Connection) -> bytes:
        questionnaire, answers, contact = chosen, None, None
        if start is not None:
            judged = await service.judge(connection, start)
            if judged.response.processor != processor:
                raise Refusal(start, "it is a response of another processor", "Name one of this processor")
            questionnaire, answers, contact = judged.questionnaire, judged.response.answers, judged.response.contact
        spoken = language or questionnaire.locale
        service.refuse_language(questionnaire, spoken)
        await service.require_processor(connection, processor)
        digest = await service.keep(connection, questionnaire, actor=actor())
        return workbook.write_workbook(
            questionnaire, processor=processor, digest=digest, language=spoken, answers=answers, contact=contact
        )

    _write_new(out, on_log(installation, work))
    screen.say(
        f"{out} is written for {processor}. Filled in, it is read by: ecluse questionnaire import {processor} FILE", style="green"
    )
    screen.answer({"processor": processor, "file": str(out)})


@app.command("import")
def import_workbook(
    processor: ProcessorName,
    file: Annotated[Path, typer.Argument(help="The filled workbook (XLSX).", dir_okay=False)],
    *,
    caiq: Annotated[
        bool, flag("--caiq", help="It is a filled CAIQ of the Cloud Security Alliance, not a workbook of ours.")
    ] = False,
    name: Annotated[str, typer.Option(help="With --caiq: who answered.")] = "",
    function: Annotated[str, typer.Option(help="With --caiq: in which function.")] = "",
    email: Annotated[str, typer.Option(help="With --caiq: at which address.")] = "",
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Read a filled workbook: all of it, or nothing and a report cell by cell."""
    from ecluse.cli.reach import actor, load, on_log, read_bytes
    from ecluse.evidence.questionnaire import filled, service
    from ecluse.evidence.questionnaire.model import Contact

    screen, installation = Screen(as_json=as_json), load(folder)
    content = read_bytes(file)
    book = filled.open_workbook(content)
    given = Contact(name=name, function=function, email=email)

    async def work(connection: Connection) -> tuple[str, int]:
        if caiq:
            questionnaire, answers, contact, language = _caiq(book, content, given)
        else:
            questionnaire, answers, contact, language = await _ours(connection, book, processor)
        response = await service.take_workbook(
            connection, processor, questionnaire, answers, contact, language=language, actor=actor()
        )
        return response, len(answers)

    response, count = on_log(installation, work)
    screen.say(
        f"{response}: {counted(count, 'answer')} of {processor} taken. Look at them: ecluse questionnaire show {response}",
        style="green",
    )
    screen.answer({"response": response, "processor": processor, "answers": count})


async def _ours(connection: Connection, book: object, processor: str) -> tuple[Questionnaire, dict[str, Answer], Contact, str]:
    """Read a workbook of ours against the text that it was made of."""
    from ecluse.evidence.questionnaire import filled, service

    meta = filled.read_meta(book)
    if meta.processor != processor:
        raise Refusal("workbook", "it was made for another processor", "Name that one, or export one for this")
    questionnaire = await service.kept(connection, meta.questionnaire)
    if questionnaire is None or meta.language not in questionnaire.languages:
        raise Refusal("workbook", "it was not made by this installation", "Export one here, and have it filled in")
    answers, contact = filled.read_answers(book, questionnaire, meta.language)
    return questionnaire, answers, contact, meta.language


def _caiq(book: object, content: bytes, contact: Contact) -> tuple[Questionnaire, dict[str, Answer], Contact, str]:
    """Read a filled CAIQ."""
    from hashlib import sha256

    from ecluse.evidence.questionnaire.caiq import read_caiq
    from ecluse.evidence.questionnaire.check import check_contact

    wrong = check_contact(contact)
    if wrong is not None:
        raise typer.BadParameter("a CAIQ does not say who answered: say --name, --function and --email", param_hint=f"--{wrong}")
    read = read_caiq(book, sha256=sha256(content).hexdigest())
    return read.questionnaire, read.answers, contact, "en"


app.command("list")(responses.list_responses)
app.command()(responses.show)
app.command()(responses.accept)
app.command()(responses.confirm)


# ── libraries ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@app.command()
def library(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A library file of CISO Assistant (YAML).", show_default="our own short questionnaire", dir_okay=False
        ),
    ] = None,
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write it as a library file.", dir_okay=False)] = None,
    as_json: Json = False,
) -> None:
    """Look at a questionnaire before it is sent: what it asks, what is passed over; with --out, write it in the library format."""
    from ecluse.evidence.questionnaire.model import say
    from ecluse.evidence.questionnaire.publish import write_library
    from ecluse.evidence.questionnaire.record import ref_of

    screen = Screen(as_json=as_json)
    questionnaire = _asked(screen, file)
    asked = [(ref_of(node), say(question.words, questionnaire.locale), question) for node, question in questionnaire.asked()]
    screen.pairs(
        [
            ("name", say(questionnaire.name, questionnaire.locale)),
            ("version", f"{questionnaire.ref_id} v{questionnaire.version}, {questionnaire.provider}"),
            ("languages", ", ".join(questionnaire.languages)),
            ("questions", f"{len(asked)}, {sum(one.condition is not None for *_, one in asked)} of them only after some answers"),
        ]
    )
    screen.say()
    screen.table(
        ("ref", "question", "weight", "asked"),
        [(ref, text, one.weight or "", "after an answer" if one.condition else "") for ref, text, one in asked[:400]],
    )
    if out is not None:
        _write_new(out, write_library(questionnaire).encode())
        screen.say(f"{out} is written.", style="green")
    screen.answer(
        {
            "ref_id": questionnaire.ref_id, "version": questionnaire.version, "languages": questionnaire.languages,
            "questions": [{"ref": ref, "text": text, "kind": one.kind, "weight": one.weight} for ref, text, one in asked],
        }
    )  # fmt: skip
