"""``ecluse questionnaire list|show|accept|confirm``: judge what a processor answered. Nothing counts by itself."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ecluse.cli.edge import Refusal
from ecluse.cli.finding import SeverityWord
from ecluse.cli.foretold import ask, look_ahead, maybe_day, show_foreseen, told
from ecluse.cli.options import Dir, Json, Yes
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from ecluse.contracts import Severity, Standing
    from ecluse.db import Connection
    from ecluse.evidence.questionnaire.model import Response
    from ecluse.evidence.questionnaire.score import Proposal
    from ecluse.evidence.questionnaire.service import Judged
    from ecluse.evidence.service import Foreseen
    from ecluse.ledger.service import Control

ResponseId: TypeAlias = Annotated[str, typer.Argument(help="The response's id: qst_… (`ecluse questionnaire list` shows them).")]


def list_responses(
    processor: Annotated[str | None, typer.Argument(help="Of this processor only.", show_default="of all")] = None,
    *,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """List what was sent and answered, the newest first. Who answered is shown by `show`."""
    from ecluse.cli.reach import load, on_log
    from ecluse.evidence.questionnaire import store

    screen, installation = Screen(as_json=as_json), load(folder)
    zone = installation.settings.zone

    async def work(connection: Connection) -> tuple[list[Response], datetime]:
        return await store.list_responses(connection, processor), await store.clock_now(connection)

    found, now = on_log(installation, work)
    shown = [
        {
            "response": one.id, "processor": one.processor, "way": one.way, "state": one.state(now),
            "answers": sum(each.given for each in one.answers.values()),
            "expires_at": one.expires_at if one.way == "link" else None, "handed_in_at": one.handed_in_at, "evidence": one.evidence,
        }
        for one in found
    ]  # fmt: skip
    screen.table(
        ("response", "processor", "way", "state", "answers", "open until", "handed in"),
        [
            (
                one.id, one.processor, one.way, one.state(now), row["answers"],
                local_time(one.expires_at, zone) if one.state(now) in {"sent", "begun"} else "",
                local_time(one.handed_in_at, zone) if one.handed_in_at else "",
            )
            for one, row in zip(found, shown, strict=True)
        ],
        empty="Nobody was asked yet. `ecluse questionnaire send PROCESSOR` makes a link.",
    )  # fmt: skip
    screen.answer({"responses": shown})


def show(response: ResponseId, *, folder: Dir = None, as_json: Json = False) -> None:
    """Show one response: who answered, each answer with what it counts for, and the findings that answers propose."""
    from ecluse.cli.reach import load, on_log
    from ecluse.evidence.questionnaire import service, store
    from ecluse.evidence.questionnaire.record import answer_text, ref_of

    screen, installation = Screen(as_json=as_json), load(folder)

    async def work(connection: Connection) -> tuple[Judged, datetime]:
        return await service.judge(connection, response), await store.clock_now(connection)

    judged, now = on_log(installation, work)
    one, language = judged.response, judged.response.language
    _show_head(screen, judged, one.state(now))
    rows = [
        (
            ref_of(line.node),
            answer_text(line.question, line.answer, language),
            line.answer.note,
            line.standing.value,
            f"{float(line.earned):g} / {line.of}",
        )
        for line in judged.score.lines
    ]
    screen.table(("ref", "answer", "comment", "counts", "weight"), rows)
    _show_proposals(screen, judged)
    screen.answer(
        {
            "response": one.id, "processor": one.processor, "state": one.state(now), "contact": one.contact, "percent": judged.score.percent,
            "questionnaire": {"ref_id": judged.questionnaire.ref_id, "version": judged.questionnaire.version, "sha256": one.questionnaire},
            "lines": [dict(zip(("ref", "answer", "comment", "counts", "weight"), row, strict=True)) for row in rows],
            "proposals": [
                {"ref": each.ref, "severity": each.severity, "title": _title(each, judged), "finding": judged.confirmed.get(each.choice)}
                for each in judged.score.proposals
            ],
        }
    )  # fmt: skip


def _title(proposal: Proposal, judged: Judged) -> str:
    """Say what a proposed finding is called."""
    from ecluse.evidence.questionnaire.model import say

    return say(proposal.node.finding or proposal.node.name, judged.response.language)


def _show_head(screen: Screen, judged: Judged, state: str) -> None:
    """Show what a response is, who gave it, and its worth."""
    one, scored = judged.response, judged.score
    share = (
        "nothing in it is scored" if scored.percent is None else f"{scored.percent} % ({float(scored.earned):g} of {scored.of})"
    )
    open_ = len(scored.unanswered)
    screen.pairs(
        [
            ("response", f"{one.id}, {state}"),
            ("questionnaire", f"{judged.questionnaire.ref_id} v{judged.questionnaire.version}"),
            ("processor", one.processor),
            (
                "answered by",
                ", ".join(part for part in (one.contact.name, one.contact.function, one.contact.email) if part) or "nobody yet",
            ),
            ("weighed", share + (f"; {counted(open_, 'question')} without an answer" if open_ else "")),
        ]
    )
    screen.say()


def _show_proposals(screen: Screen, judged: Judged) -> None:
    """Show what answers propose, and what became of it."""
    screen.say()
    screen.table(
        ("ref", "severity", "proposed finding", "confirmed as"),
        [
            (one.ref, one.severity.value, _title(one, judged), judged.confirmed.get(one.choice, "not confirmed"))
            for one in judged.score.proposals
        ],
        title="Findings that answers propose",
        empty="No answer proposes a finding.",
    )
    if judged.response.handed_in_at is not None and len(judged.confirmed) < len(judged.score.proposals):
        screen.say(f"A person confirms each, or lets it be: ecluse questionnaire confirm {judged.response.id} REF")


def accept(response: ResponseId, *, yes: Yes = False, folder: Dir = None, as_json: Json = False) -> None:
    """Accept what was handed in as evidence, in your name: shows what it changes for the gate, then asks. Read it first (`show`)."""
    from ecluse import install
    from ecluse.cli.reach import actor, attributes_of, load, on_log, register_map
    from ecluse.evidence.questionnaire import service
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)
    zone = installation.settings.zone

    async def look(connection: Connection) -> tuple[Judged, Foreseen | None]:
        judged = await service.judge(connection, response)
        handed = judged.response.handed_in_at
        if handed is None:
            raise Refusal(response, "it was not handed in", "Wait until the processor hands it in, or send it anew")
        change = lambda standing, at: _if_accepted(standing, handed.astimezone(zone).date(), at)  # noqa: E731 - as the other acts have it
        return judged, await look_ahead(connection, installation, judged.response.processor, change)

    async def work(connection: Connection) -> tuple[str, Control]:
        vault = await install.open_vault(installation, connection)
        attributes = attributes_of(register_map(installation.folder / "register.toml"))
        return await service.accept(
            connection, vault, response, log_id=LOG_ID, actor=actor(), attributes=attributes, timezone=zone
        )

    judged, foreseen = on_log(installation, look)
    _show_head(screen, judged, "handed in")
    _show_proposals(screen, judged)
    show_foreseen(screen, judged.response.processor, foreseen)
    ask(screen, f"Accept it as {actor()}?", yes=yes)
    document, sealed = on_log(installation, work)
    screen.say(f"{document} counts from now on, sealed as entry {sealed.index} of the ledger.", style="green")
    screen.answer({"response": response, "evidence": document, "index": sealed.index, "gate": told(foreseen)})


def _if_accepted(standing: Standing, reviewed_on: date, at: datetime) -> Standing:
    """Return what would stand once a questionnaire of that day is accepted."""
    from msgspec.structs import replace

    from ecluse.contracts import Document, EvidenceKind

    document = Document(
        id="new", kind=EvidenceKind.QUESTIONNAIRE.value, reviewed_on=reviewed_on, ends_on=None, sites=(), bridges=None, sub_processors=(), accepted_at=at,
        withdrawn_at=None,
    )  # fmt: skip
    return replace(standing, documents=(*standing.documents, document))


def confirm(
    response: ResponseId,
    ref: Annotated[str, typer.Argument(help="The requirement whose answer proposes a finding, such as ACC-2.")],
    *,
    severity: Annotated[SeverityWord | None, typer.Option(help="How bad it is.", show_default="as proposed")] = None,
    due_on: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="The last day to mend it, such as 2026-01-31.", show_default="by its severity"),
    ] = None,
    yes: Yes = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Open the finding that an answer proposes, in your name: shows what it changes for the gate, then asks."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.contracts import Severity
    from ecluse.evidence import foresee
    from ecluse.evidence.questionnaire import service, store
    from ecluse.evidence.questionnaire.score import DUE_DAYS
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)
    zone, chosen = installation.settings.zone, maybe_day("--due-on", due_on)

    async def look(connection: Connection) -> tuple[Judged, Proposal, Severity, date, Foreseen | None]:
        judged = await service.judge(connection, response)
        proposal = service.proposed(judged, ref)
        grave = Severity(severity.value) if severity is not None else proposal.severity
        today = (await store.clock_now(connection)).astimezone(zone).date()
        due = chosen or today + timedelta(days=DUE_DAYS[grave])
        change = lambda standing, at: foresee.if_opened(standing, grave, due, at)  # noqa: E731 - as the other acts have it
        return judged, proposal, grave, due, await look_ahead(connection, installation, judged.response.processor, change)

    judged, proposal, grave, due, foreseen = on_log(installation, look)
    screen.say(f"{judged.response.processor}, {proposal.ref}: {_title(proposal, judged)} ({grave}, due on {due})", style="bold")
    show_foreseen(screen, judged.response.processor, foreseen)
    ask(screen, f"Open it as {actor()}?", yes=yes)
    finding = on_log(
        installation,
        lambda connection: service.confirm(
            connection, judged, proposal, severity=grave, due_on=due, log_id=LOG_ID, actor=actor(), timezone=zone
        ),
    )
    screen.say(f"{finding} is open until somebody closes it, due on {due}.", style="green")
    screen.answer({"response": response, "finding": finding, "severity": grave, "due_on": due, "gate": told(foreseen)})
