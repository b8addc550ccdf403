"""Questionnaires and responses as they are kept (PostgreSQL, role ``ecluse_app``). Trusted store; what was handed in may not be lost, a draft may."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import aiosql
import asyncpg
import msgspec

from ecluse.db import Connection
from ecluse.evidence.questionnaire.model import Answer, Answers, Contact, Response

_decode = msgspec.json.Decoder(dict[str, Answer]).decode


@cache
def _queries() -> Any:  # noqa: ANN401 - aiosql builds its methods at run time
    """Load ``queries.sql`` at first use: importing a module does nothing."""
    return aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")


def _encode(answers: Answers) -> str:
    return msgspec.json.encode(dict(answers)).decode()


async def clock_now(connection: Connection) -> datetime:
    """Read the database's clock."""
    at: datetime = await _queries().clock_now(connection)
    return at


async def processor_there(connection: Connection, processor: str) -> bool:
    """Tell whether a processor is registered."""
    there: bool = await _queries().processor_there(connection, processor=processor)
    return there


async def keep_text(connection: Connection, *, sha256: str, ref_id: str, version: str, text: str, actor: str) -> None:
    """Keep a text that is sent; one that is there stays."""
    await _queries().keep_text(connection, sha256=sha256, ref_id=ref_id, version=version, text=text, actor=actor)


async def text_of(connection: Connection, sha256: str) -> str | None:
    """Return a text that was sent."""
    text: str | None = await _queries().text_of(connection, sha256=sha256)
    return text


async def new_link(
    connection: Connection, response: str, *, processor: str, questionnaire: str, secret_sha256: bytes, language: str, actor: str, days: int
) -> None:  # fmt: skip
    """Keep a link that is open for some days."""
    await _queries().new_link(
        connection, id=response, processor=processor, questionnaire=questionnaire, secret_sha256=secret_sha256, language=language, actor=actor, days=days
    )  # fmt: skip


async def new_workbook(
    connection: Connection, response: str, *, processor: str, questionnaire: str, language: str, actor: str, answers: Answers, contact: Contact
) -> None:  # fmt: skip
    """Keep a workbook that was read in."""
    await _queries().new_workbook(
        connection, id=response, processor=processor, questionnaire=questionnaire, language=language, actor=actor, answers=_encode(answers),
        name=contact.name, function=contact.function, email=contact.email,
    )  # fmt: skip


async def open_link(connection: Connection, secret_sha256: bytes) -> tuple[Response, str] | None:
    """Return the response behind an open link and its processor's name; None whatever is wrong with it."""
    row = await _queries().open_link(connection, secret_sha256=secret_sha256)
    return None if row is None else (_response(row), row["processor_name"])


async def save_draft(connection: Connection, secret_sha256: bytes, answers: Answers) -> bool:
    """Keep answers beside those that are there; False: the link is not open."""
    return await _queries().save_draft(connection, secret_sha256=secret_sha256, answers=_encode(answers)) is not None


async def hand_in(
    connection: Connection, secret_sha256: bytes, *, saved_at: datetime | None, answers: Answers, contact: Contact
) -> datetime | None:
    """Hand in; None: the link is not open, or somebody saved an answer since ``saved_at``."""
    row = await _queries().hand_in(
        connection, secret_sha256=secret_sha256, saved_at=saved_at, answers=_encode(answers), name=contact.name, function=contact.function,
        email=contact.email,
    )  # fmt: skip
    return None if row is None else row["handed_in_at"]


async def revoke(connection: Connection, response: str, actor: str) -> bool:
    """End a link; False: there is none that is open."""
    return await _queries().revoke(connection, id=response, actor=actor) is not None


async def list_responses(connection: Connection, processor: str | None) -> list[Response]:
    """Return responses, the newest first, 500 at most."""
    return [_response(row) async for row in _queries().responses(connection, processor=processor)]


async def find_response(connection: Connection, response: str) -> Response | None:
    """Return one response."""
    row = await _queries().response(connection, id=response)
    return None if row is None else _response(row)


async def claim_evidence(connection: Connection, response: str, evidence: str) -> bool:
    """Note the document made of a response; False: there is one already."""
    return await _queries().claim_evidence(connection, id=response, evidence=evidence) is not None


async def note_finding(connection: Connection, response: str, choice: str, finding: str) -> None:
    """Note the finding that became of an answer."""
    await _queries().note_finding(connection, id=response, choice=choice, finding=finding)


async def findings_of(connection: Connection, response: str) -> dict[str, str]:
    """Return the findings that became of a response's answers, by choice."""
    return {row["choice"]: row["finding_id"] async for row in _queries().findings_of(connection, id=response)}


def _response(row: asyncpg.Record) -> Response:
    return Response(
        id=row["id"], processor=row["processor_id"], questionnaire=row["questionnaire"], way=row["way"], language=row["language"],
        made_by=row["made_by"], made_at=row["made_at"], expires_at=row["expires_at"], revoked_at=row["revoked_at"], saved_at=row["saved_at"],
        handed_in_at=row["handed_in_at"], evidence=row["evidence_id"], answers=_decode(row["answers"]),
        contact=Contact(name=row["contact_name"], function=row["contact_function"], email=row["contact_email"]),
    )  # fmt: skip
