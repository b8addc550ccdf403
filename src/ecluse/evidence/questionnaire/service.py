"""Use cases of questionnaires: send one, answer it behind its link or in a workbook, accept it as evidence, confirm a finding that it proposes.

A link is a name of 128 random bits; the database keeps its SHA-256 alone. Unknown, expired, revoked and used links are one answer and one way through the code.
What was handed in moves no gate: a named person accepts it, through the use cases of `ecluse.evidence`, and confirms each finding by itself.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec

from ecluse.contracts import EvidenceKind, Severity
from ecluse.contracts.errors import ProcessorUnknown
from ecluse.db import Connection
from ecluse.evidence import EvidenceState, Source, Submission
from ecluse.evidence import service as evidence
from ecluse.evidence.questionnaire import store
from ecluse.evidence.questionnaire.check import check_answers, check_contact
from ecluse.evidence.questionnaire.errors import AnswersInvalid, LinkInvalid, QuestionnaireRefused, ResponseUnknown
from ecluse.evidence.questionnaire.library import read_library
from ecluse.evidence.questionnaire.model import Answer, Answers, Contact, Questionnaire, Response, say
from ecluse.evidence.questionnaire.publish import write_library
from ecluse.evidence.questionnaire.record import one_line, write_record
from ecluse.evidence.questionnaire.score import Proposal, Score, score, visible
from ecluse.evidence.store import translated
from ecluse.ids import is_id, is_name, new_id
from ecluse.ledger.service import Control

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from ecluse.evidence.service import Attributes
    from ecluse.evidence.vault import Vault

DAYS: Final = 14
MOST_DAYS: Final = 60
MOST_BEHIND_A_LINK: Final = 300
"""Questions that a link may ask; a longer questionnaire goes by workbook."""
OWN: Final = Path(__file__).with_name("processor-security.yaml")


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A link that was made. ``secret``: shown once, kept nowhere."""

    response: str
    secret: str
    expires_at: datetime

    def __repr__(self) -> str:
        """Show no secret."""
        return f"Sent({self.response!r})"


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind a link: the response, its questionnaire, the processor's name."""

    response: Response
    questionnaire: Questionnaire
    processor: str


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A response with what it is worth. ``confirmed``: findings that became of it, by choice."""

    response: Response
    questionnaire: Questionnaire
    score: Score
    confirmed: dict[str, str]


# ── texts ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@lru_cache(maxsize=8)
def read_text(text: str) -> Questionnaire:
    """Read a text of ours or one that was kept."""
    return read_library(text.encode()).questionnaire


def own_questionnaire() -> Questionnaire:
    """Return the short questionnaire of our own."""
    return read_text(OWN.read_text(encoding="utf-8"))


async def keep(connection: Connection, questionnaire: Questionnaire, *, actor: str) -> str:
    """Keep a questionnaire's text for as long as somebody refers to it; return its SHA-256."""
    text = write_library(questionnaire)
    digest = sha256(text.encode()).hexdigest()
    await store.keep_text(
        connection, sha256=digest, ref_id=questionnaire.ref_id, version=questionnaire.version, text=text, actor=actor
    )
    return digest


async def kept(connection: Connection, digest: str) -> Questionnaire | None:
    """Return a questionnaire that was sent; None where none of that hash was."""
    text = await store.text_of(connection, digest)
    return None if text is None else read_text(text)


# ── by link ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def send(
    connection: Connection, processor: str, questionnaire: Questionnaire, *, language: str, actor: str, days: int = DAYS
) -> Sent:
    """Make a link for one processor and one questionnaire. Raises `ProcessorUnknown`, `QuestionnaireRefused`."""
    if not 1 <= days <= MOST_DAYS:
        raise QuestionnaireRefused("days", f"a link lives for 1 to {MOST_DAYS} days", "Name a number of days between them")
    count = sum(1 for _ in questionnaire.asked())
    if count > MOST_BEHIND_A_LINK:
        raise QuestionnaireRefused(
            "questionnaire", f"it asks {count:,} questions, a link at most {MOST_BEHIND_A_LINK}", "Send it as a workbook"
        )
    refuse_language(questionnaire, language)
    response, secret = new_id("qst"), new_id("qsl")
    with translated():
        await require_processor(connection, processor)
        async with connection.transaction():
            digest = await keep(connection, questionnaire, actor=actor)
            await store.new_link(
                connection, response, processor=processor, questionnaire=digest, secret_sha256=_hash(secret), language=language, actor=actor, days=days
            )  # fmt: skip
        made = await store.find_response(connection, response)
    if made is None:
        raise AssertionError("impossible: the link that was just made is gone")
    return Sent(response=response, secret=secret, expires_at=made.expires_at)


async def revoke(connection: Connection, response: str, *, actor: str) -> None:
    """End a link at once. Raises `ResponseUnknown`, `QuestionnaireRefused`."""
    found = await response_of(connection, response)
    with translated():
        if not await store.revoke(connection, response, actor):
            state = found.state(await store.clock_now(connection))
            raise QuestionnaireRefused(
                response, f"it is {state}: no open link to revoke", "`ecluse questionnaire list` shows those that are open"
            )


async def open_link(connection: Connection, secret: str) -> Opened:
    """Return what stands behind a link. Raises `LinkInvalid`, whatever is wrong with it."""
    with translated():
        found = await store.open_link(connection, _hash(secret))
        questionnaire = None if found is None else await kept(connection, found[0].questionnaire)
    if found is None or questionnaire is None:
        raise LinkInvalid
    return Opened(response=found[0], questionnaire=questionnaire, processor=found[1])


async def save(connection: Connection, secret: str, opened: Opened, answers: Answers) -> None:
    """Keep some answers as a draft. Raises `AnswersInvalid`, and then keeps none of them; `LinkInvalid`."""
    faults = check_answers(opened.questionnaire, answers)
    if faults:
        raise AnswersInvalid(faults)
    with translated():
        if answers and not await store.save_draft(connection, _hash(secret), answers):
            raise LinkInvalid


async def hand_in(connection: Connection, secret: str, contact: Contact) -> tuple[Opened, datetime]:
    """Hand in the draft as it is, once; what is not asked any more is dropped. Raises `LinkInvalid`, `QuestionnaireRefused`.

    Refused: a contact that is not whole (``where`` is its part), and a question without an answer (``where`` is ``unanswered``).
    """
    opened = await open_link(connection, secret)
    wrong = check_contact(contact)
    if wrong is not None:
        raise QuestionnaireRefused(wrong, "it is missing or not as it must be", "Fill it in")
    answers = asked_only(opened.questionnaire, opened.response.answers)
    if score(opened.questionnaire, answers).unanswered:
        raise QuestionnaireRefused("unanswered", "a question has no answer", "Answer every question that is asked")
    with translated():
        at = await store.hand_in(connection, _hash(secret), saved_at=opened.response.saved_at, answers=answers, contact=contact)
    if at is None:  # closed meanwhile, or a colleague saved an answer in the same moment
        await open_link(connection, secret)
        raise QuestionnaireRefused("changed", "an answer was changed meanwhile", "Look at the answers and hand in again")
    done = msgspec.structs.replace(opened.response, answers=answers, contact=contact, handed_in_at=at)
    return msgspec.structs.replace(opened, response=done), at


def asked_only(questionnaire: Questionnaire, answers: Answers) -> dict[str, Answer]:
    """Return the answers to what is asked."""
    return {question.urn: answers[question.urn] for _, question in visible(questionnaire, answers) if question.urn in answers}


def _hash(secret: str) -> bytes:
    """Return what the database knows of a secret: one probe and one answer also for what is no secret of ours."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


# ── by workbook ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def take_workbook(
    connection: Connection, processor: str, questionnaire: Questionnaire, answers: Answers, contact: Contact, *, language: str, actor: str
) -> str:  # fmt: skip
    """Keep the answers of a workbook, handed in. Raises `ProcessorUnknown`, `AnswersInvalid`."""
    faults = check_answers(questionnaire, answers)
    if faults:
        raise AnswersInvalid(faults)
    response = new_id("qst")
    with translated():
        await require_processor(connection, processor)
        async with connection.transaction():
            digest = await keep(connection, questionnaire, actor=actor)
            await store.new_workbook(
                connection, response, processor=processor, questionnaire=digest, language=language, actor=actor,
                answers=asked_only(questionnaire, answers), contact=contact,
            )  # fmt: skip
    return response


# ── judged by a person ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def judge(connection: Connection, response: str) -> Judged:
    """Return a response and what it is worth. Raises `ResponseUnknown`."""
    found = await response_of(connection, response)
    with translated():
        questionnaire = await kept(connection, found.questionnaire)
        confirmed = await store.findings_of(connection, response)
    if questionnaire is None:
        raise AssertionError("impossible: a response to a questionnaire that is not kept")
    return Judged(response=found, questionnaire=questionnaire, score=score(questionnaire, found.answers), confirmed=confirmed)


async def accept(
    connection: Connection, vault: Vault, response: str, *, log_id: int, actor: str, attributes: Attributes, timezone: ZoneInfo
) -> tuple[str, Control]:
    """Accept what was handed in as evidence of kind ``questionnaire``, in the name of a person; its age counts from the day on which it was handed in.

    Broken off in the middle, it goes on where it was when it is called again. Raises `ResponseUnknown`, `QuestionnaireRefused`, and what
    `ecluse.evidence.service` raises.
    """
    judged = await judge(connection, response)
    at = judged.response.handed_in_at
    if at is None:
        raise QuestionnaireRefused(response, "it was not handed in", "Wait until the processor hands it in, or send it anew")
    document = judged.response.evidence
    if document is None:
        document = await _document(connection, vault, judged, at, actor=actor, attributes=attributes, timezone=timezone)
    elif (await evidence.evidence_of(connection, document)).state is not EvidenceState.SUBMITTED:
        raise QuestionnaireRefused(
            response, f"it was judged already, as {document}", "`ecluse evidence list` shows what became of it"
        )
    return document, await evidence.accept(connection, vault, document, log_id=log_id, actor=actor)


async def _document(
    connection: Connection, vault: Vault, judged: Judged, at: datetime, *, actor: str, attributes: Attributes, timezone: ZoneInfo
) -> str:  # fmt: skip
    """Make a document of a response, and note which."""
    response, questionnaire = judged.response, judged.questionnaire
    title = f"{say(questionnaire.name, response.language)[:120]}, v{questionnaire.version[:20]}"
    asked = Submission(
        processor=response.processor, kind=EvidenceKind.QUESTIONNAIRE.value, title=title, issuer=response.processor, scope=response.id,
        reviewed_on=at.astimezone(timezone).date(),
    )  # fmt: skip
    record = write_record(response, questionnaire, judged.score).encode()
    made = await evidence.submit(connection, vault, asked, record, actor=actor, attributes=attributes, timezone=timezone)
    with translated():
        if not await store.claim_evidence(connection, response.id, made.evidence.id):
            raise QuestionnaireRefused(response.id, "somebody else accepts it at this moment", "Look at it again")
    return made.evidence.id


def proposed(judged: Judged, ref: str) -> Proposal:
    """Return the finding that an answer proposes and nobody confirmed yet; ``ref``: of its requirement. Raises `QuestionnaireRefused`."""
    if judged.response.handed_in_at is None:
        raise QuestionnaireRefused(judged.response.id, "it was not handed in", "Wait until the processor hands it in")
    found = [one for one in judged.score.proposals if one.ref == ref]
    waiting = [one for one in found if one.choice not in judged.confirmed]
    if not waiting:
        why = "it is confirmed already" if found else "no answer proposes a finding there"
        raise QuestionnaireRefused(ref[:60], why, "`ecluse questionnaire show` lists what is proposed")
    return waiting[0]


async def confirm(
    connection: Connection, judged: Judged, proposal: Proposal, *, severity: Severity, due_on: date, log_id: int, actor: str, timezone: ZoneInfo
) -> str:  # fmt: skip
    """Open the finding that an answer proposes, in the name of a person, who says how bad it is and when it is due.

    Raises `QuestionnaireRefused`, and what `ecluse.evidence.service.open_finding` raises.
    """
    response, node = judged.response, proposal.node
    title = f"{proposal.ref}: {one_line(say(node.finding or node.name, response.language))}"[:200]
    finding, _ = await evidence.open_finding(
        connection, log_id=log_id, processor=response.processor, source=Source.QUESTIONNAIRE, severity=severity, title=title, due_on=due_on,
        actor=actor, timezone=timezone,
    )  # fmt: skip
    try:
        with translated():
            await store.note_finding(connection, response.id, proposal.choice, finding)
    except asyncpg.UniqueViolationError:
        why = f"somebody else confirmed it in the same moment; {finding} is one too many"
        raise QuestionnaireRefused(proposal.ref, why, "Close it") from None
    return finding


async def response_of(connection: Connection, response: str) -> Response:
    """Return a response. Raises `ResponseUnknown`."""
    with translated():
        found = await store.find_response(connection, response) if is_id(response, "qst") else None
    if found is None:
        raise ResponseUnknown
    return found


async def require_processor(connection: Connection, processor: str) -> None:
    """Refuse a processor that is not registered."""
    if not is_name(processor) or not await store.processor_there(connection, processor):
        raise ProcessorUnknown(processor)


def refuse_language(questionnaire: Questionnaire, language: str) -> None:
    """Refuse a language in which it is not asked."""
    if language not in questionnaire.languages:
        raise QuestionnaireRefused(
            "language", "the questionnaire is not there in that language", f"Name one of {', '.join(questionnaire.languages)}"
        )
