"""Questionnaires on a real database: what is refused, what is kept of a link, and that a person's acceptance alone moves a gate."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from ecluse.contracts import Severity
from ecluse.contracts.errors import ProcessorUnknown
from ecluse.contracts.service import add_processor, apply_contract
from ecluse.evidence import service as evidence
from ecluse.evidence.questionnaire import service, store
from ecluse.evidence.questionnaire.errors import AnswersInvalid, LinkInvalid, QuestionnaireRefused, ResponseUnknown
from ecluse.evidence.questionnaire.filled import open_workbook, read_answers
from ecluse.evidence.questionnaire.model import Answer, Contact
from ecluse.evidence.questionnaire.workbook import write_workbook
from ecluse.register import parse_register
from tests.agency import Agency
from tests.evidence.papers import SECRET
from tests.evidence.questionnaire.small import CONTACT, FULL, picks, small, urn
from tests.invented import contract_text, register_toml

pytestmark = pytest.mark.db

ATTRIBUTES = {name: attribute.type for name, attribute in parse_register(register_toml()).attributes.items()}


@dataclass(frozen=True, kw_only=True)
class Bureau:
    """The controller's office for one processor, on one connection of the gate's role."""

    agency: Agency
    app: asyncpg.Connection
    name: str

    async def send(self, **how: Any) -> service.Sent:
        """Make a link for the small questionnaire."""
        return await service.send(self.app, self.name, small(), language="en", actor="cli:ana", **how)

    async def answered(self) -> service.Sent:
        """Make a link and save every answer behind it."""
        sent = await self.send()
        await service.save(self.app, sent.secret, await service.open_link(self.app, sent.secret), FULL)
        return sent

    async def handed_in(self) -> str:
        """Return a response that was handed in."""
        sent = await self.answered()
        await service.hand_in(self.app, sent.secret, CONTACT)
        return sent.response

    async def accept(self, response: str, actor: str = "cli:ana") -> str:
        """Accept a response as evidence."""
        zone = self.agency.installation.settings.zone
        document, _ = await service.accept(
            self.app, SECRET, response, log_id=1, actor=actor, attributes=ATTRIBUTES, timezone=zone
        )
        return document

    async def gate(self) -> str:
        """Return the gate's state now."""
        seen = await evidence.foresee(
            self.app,
            self.name,
            lambda standing, _: standing,
            attributes=ATTRIBUTES,
            timezone=self.agency.installation.settings.zone,
        )
        assert seen is not None
        return seen.before.state.value


@asynccontextmanager
async def bureau(agency: Agency) -> AsyncIterator[Bureau]:
    """Open an office for a fresh processor whose contract asks for a questionnaire."""
    name = f"proc-{secrets.token_hex(4)}"
    async with agency.connected("ecluse_app") as app:
        await add_processor(app, log_id=1, processor=name, name=name, actor="cli:test")
        text = contract_text(name, evidence={"questionnaire": "P12M"})
        await apply_contract(app, log_id=1, text=text, attributes=ATTRIBUTES, actor="cli:test")
        yield Bureau(agency=agency, app=app, name=name)


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_send_when_it_can_not_be_then_refused(agency: Agency) -> None:
    """No such processor, a language in which nothing is asked, too long a life: nothing is made."""
    async with bureau(agency) as office:
        with pytest.raises(ProcessorUnknown):
            await service.send(office.app, "nobody", small(), language="en", actor="cli:ana")
        for how in ({"language": "fr"}, {"language": "en", "days": 0}, {"language": "en", "days": 61}):
            with pytest.raises(QuestionnaireRefused):
                await service.send(office.app, office.name, small(), actor="cli:ana", **how)
        assert await store.list_responses(office.app, office.name) == []


async def test_link_when_it_is_not_open_then_one_error_for_all(agency: Agency) -> None:
    """Unknown, revoked, expired and used links are told apart by nobody, whatever is done with them."""
    async with bureau(agency) as office:
        revoked, expired, used = await office.send(), await office.send(), await office.answered()
        opened = await service.open_link(office.app, revoked.secret)
        await service.revoke(office.app, revoked.response, actor="cli:ana")
        await agency.execute(
            "update ecluse.questionnaire_response set expires_at = ecluse.clock() where id = $1", expired.response
        )
        await service.hand_in(office.app, used.secret, CONTACT)
        for secret in ("", "x\x00", "\udcff", "qsl_" + "a" * 26, revoked.secret, expired.secret, used.secret):
            with pytest.raises(LinkInvalid):
                await service.open_link(office.app, secret)
            with pytest.raises(LinkInvalid):
                await service.save(office.app, secret, opened, {urn("a1:q1"): picks("a1:q1:no")})
            with pytest.raises(LinkInvalid):
                await service.hand_in(office.app, secret, CONTACT)
        with pytest.raises(QuestionnaireRefused):
            await service.revoke(office.app, used.response, actor="cli:ana")


async def test_answers_when_one_is_wrong_then_none_is_saved(agency: Agency) -> None:
    """A part is saved whole or not at all."""
    async with bureau(agency) as office:
        sent = await office.send()
        opened = await service.open_link(office.app, sent.secret)
        with pytest.raises(AnswersInvalid):
            await service.save(
                office.app, sent.secret, opened, {urn("a1:q1"): picks("a1:q1:no"), urn("b1:q1"): Answer(text="many")}
            )
        assert (await service.open_link(office.app, sent.secret)).response.answers == {}


async def test_hand_in_when_changed_in_the_same_moment_then_looked_at_again(agency: Agency) -> None:
    """What is handed in is what was looked at: a colleague's answer that comes between is not swallowed."""
    async with bureau(agency) as office:
        sent = await office.answered()
        opened = await service.open_link(office.app, sent.secret)
        await service.save(office.app, sent.secret, opened, {urn("b1:q1"): Answer(text="13")})
        at = await store.hand_in(
            office.app,
            service._hash(sent.secret),
            saved_at=opened.response.saved_at,
            answers=opened.response.answers,
            contact=CONTACT,
        )
        assert at is None
        done, _ = await service.hand_in(office.app, sent.secret, CONTACT)
        assert done.response.answers[urn("b1:q1")].text == "13"


async def test_response_when_handed_in_then_even_its_owner_changes_nothing(agency: Agency) -> None:
    """A trigger keeps what was handed in; nothing of a questionnaire or response is deleted, and no text is changed."""
    async with bureau(agency) as office:
        response = await office.handed_in()
        for statement in (
            "update ecluse.questionnaire_response set answers = '{}' where id = $1",
            "update ecluse.questionnaire_response set contact_name = 'x' where id = $1",
            "update ecluse.questionnaire_response set handed_in_at = null, evidence_id = null where id = $1",
            "delete from ecluse.questionnaire_response where id = $1",
            "update ecluse.questionnaire set text = 'x' where $1 <> ''",
            "delete from ecluse.questionnaire where $1 <> ''",
        ):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await agency.execute(statement, response)
        for statement in (
            "update ecluse.questionnaire_response set processor_id = 'x'",
            "update ecluse.questionnaire_response set secret_sha256 = null",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await office.app.execute(statement)


async def test_accept_when_it_was_not_handed_in_or_is_judged_then_refused(agency: Agency) -> None:
    """A draft is no evidence, and a response becomes one document, once."""
    async with bureau(agency) as office:
        draft = await office.answered()
        with pytest.raises(QuestionnaireRefused, match="not handed in"):
            await office.accept(draft.response)
        with pytest.raises(ResponseUnknown):
            await office.accept("qst_" + "a" * 26)
        response = await office.handed_in()
        await office.accept(response)
        with pytest.raises(QuestionnaireRefused, match="judged already"):
            await office.accept(response)


# ── what it does ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_link_when_made_then_the_secret_is_kept_nowhere_and_shown_by_no_text(agency: Agency) -> None:
    """The database holds a hash; two links have two secrets of 128 bits."""
    async with bureau(agency) as office:
        one, two = await office.send(), await office.send()
        rows = await agency.fetch("select to_jsonb(r)::text as text from ecluse.questionnaire_response r")
        assert [row for row in rows if one.secret in row["text"] or two.secret in row["text"]] == []
        assert (one.secret != two.secret, len(one.secret), one.secret in repr(one)) == (True, 30, False)


async def test_gate_when_a_questionnaire_is_answered_then_a_person_opens_it(agency: Agency) -> None:
    """Sending, answering and handing in move no gate and no control entry; a person's acceptance does, and the document says what was answered."""
    async with bureau(agency) as office:
        before = await agency.fetch("select control_seq from ecluse.ledger_head where log_id = 1")
        response = await office.handed_in()
        assert (await office.gate(), await agency.fetch("select control_seq from ecluse.ledger_head where log_id = 1")) == (
            "frozen",
            before,
        )
        document = await office.accept(response)
        assert await office.gate() == "open"
        found, content = await evidence.fetch(office.app, SECRET, document)
    text = content.decode()
    assert (found.kind, found.accepted_by, found.scope) == ("questionnaire", "cli:ana", response)
    assert ("A.1  Are doors closed?\n    > Half\n    Comment: =1+1\n    Counts: 1.5 / 3" in text, "Weighed: 62 %" in text) == (
        True,
        True,
    )
    assert ("Ana Lemoine, DPO, ana@lyon-formation.example" in text, "compliant" in text) == (True, False)


async def test_accept_when_broken_off_then_it_goes_on_where_it_was(agency: Agency) -> None:
    """A document that was made and not yet accepted is accepted the second time, and no second one is made."""
    async with bureau(agency) as office:
        response, zone = await office.handed_in(), agency.installation.settings.zone
        judged = await service.judge(office.app, response)
        assert judged.response.handed_in_at is not None
        made = await service._document(
            office.app, SECRET, judged, judged.response.handed_in_at, actor="cli:ana", attributes=ATTRIBUTES, timezone=zone
        )
        assert await office.accept(response) == made
        rows = await agency.fetch("select id from ecluse.evidence where processor_id = $1", office.name)
        assert [row["id"] for row in rows] == [made]


async def test_finding_when_proposed_then_a_person_confirms_it_once(agency: Agency) -> None:
    """An answer opens nothing by itself; whoever confirms it may give it another severity and day."""
    async with bureau(agency) as office:
        response, zone = await office.handed_in(), agency.installation.settings.zone
        assert await agency.fetch("select id from ecluse.finding where processor_id = $1", office.name) == []
        judged = await service.judge(office.app, response)
        proposal = service.proposed(judged, "A.1")
        today: date = (await agency.now()).astimezone(zone).date()
        finding = await service.confirm(
            office.app,
            judged,
            proposal,
            severity=Severity.HIGH,
            due_on=today + timedelta(days=9),
            log_id=1,
            actor="cli:ana",
            timezone=zone,
        )
        rows = await agency.fetch(
            "select id, source, severity, title, due_on from ecluse.finding where processor_id = $1", office.name
        )
        assert [tuple(row) for row in rows] == [
            (finding, "questionnaire", "high", "A.1: Doors left open", today + timedelta(days=9))
        ]
        again = await service.judge(office.app, response)
        for ref in ("A.1", "B.1", "nowhere"):
            with pytest.raises(QuestionnaireRefused):
                service.proposed(again, ref)


async def test_workbook_when_taken_then_handed_in_as_by_link(agency: Agency) -> None:
    """A filled workbook gives the same response as a link; wrong answers and unknown processors leave nothing."""
    async with bureau(agency) as office:
        digest = await service.keep(office.app, small(), actor="cli:ana")
        content = write_workbook(small(), processor=office.name, digest=digest, language="en", answers=FULL, contact=CONTACT)
        asked = await service.kept(office.app, digest)
        assert asked is not None
        answers, contact = read_answers(open_workbook(content), asked, "en")
        with pytest.raises(ProcessorUnknown):
            await service.take_workbook(office.app, "nobody", asked, answers, contact, language="en", actor="cli:ana")
        with pytest.raises(AnswersInvalid):
            await service.take_workbook(office.app, office.name, asked, {"x": Answer()}, contact, language="en", actor="cli:ana")
        response = await service.take_workbook(office.app, office.name, asked, answers, contact, language="en", actor="cli:ana")
        judged = await service.judge(office.app, response)
        assert (judged.response.answers, judged.response.contact, judged.score.percent) == (FULL, CONTACT, 62)
        assert judged.response.state(await agency.now()) == "handed in"
        assert len(await store.list_responses(office.app, office.name)) == 1


def test_contact_when_shown_by_mistake_then_nobody() -> None:
    """A response that ends in a log line names nobody."""
    assert "Ana" not in repr(Contact(name="Ana", function="DPO", email="ana@b.example"))
