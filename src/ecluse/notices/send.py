"""The postman: plans, notes, writes and sends notices. Any number may run, and any may die: who has what is in the rows.

A round:
 1 note    what is to be told now, each matter and party once: a unique key, so two postmen note it once.
 2 take    what is due, for ten minutes: if this process dies, another sends it then.
 3 send    each by one SMTP transaction of its own, with a Message-ID that is the same in each attempt: a double is recognisable. A server that takes it and
           dies before it says so is sent it again: at least once.
 4 settle  sent; else it waits longer, and after three days is given up, which health and doctor say.
No row is locked while a server is slow, and no gate waits for any of this.

What is believed of a server is its reply code; nothing of its words is kept or logged.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from typing import Final
from zoneinfo import ZoneInfo

import aiosmtplib
import asyncpg
import msgspec
import structlog
from prometheus_client import Counter, Gauge

from ecluse.contracts import Contract
from ecluse.db import LOST, Pool
from ecluse.errors import ConfigurationError
from ecluse.events import describe
from ecluse.notices import store
from ecluse.notices.model import Audience, Due, Letter
from ecluse.notices.plan import plan_gate, plan_matters
from ecluse.notices.say import Party, Said, language_of, say
from ecluse.register import AttributeType
from ecluse.settings import Installation, Mail, MailSecurity, is_mail_address

ATTEMPTS: Final = Counter("ecluse_notice_attempts", "Attempts to send a notice, by what became of it", ["result"])
WAITING: Final = Gauge("ecluse_notices_waiting", "Notices that wait for the mail server")
DEAD: Final = Gauge("ecluse_notices_dead", "Notices that were given up")

_MOST: Final = 20  # of a round
_UNWELL: Final = 2  # failures one after the other that end a round: the server is not well
_HOUSE_EVERY: Final = timedelta(hours=1)
_RETRIES: Final = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=3))
_FAILED: Final = (*LOST, asyncpg.PostgresError)

_log: Final = structlog.get_logger("ecluse.notices")


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """Who tells. ``attributes``: the register's, by which contracts are read."""

    controller: str
    zone: ZoneInfo
    attributes: Mapping[str, AttributeType]


class Mailbox(msgspec.Struct, frozen=True, kw_only=True):
    """How mail goes out. ``password``: reads it anew; not called without a ``mail.user``."""

    mail: Mail
    password: Callable[[], str]
    trust: ssl.SSLContext


def mailbox_of(installation: Installation) -> Mailbox | None:
    """Return how an installation sends mail, None where it sends none. Raises `ConfigurationError` for the authority's file."""
    mail = installation.settings.mail
    if not mail.host:
        return None
    try:
        trust = ssl.create_default_context(cafile=str(installation.folder / mail.ca) if mail.ca else None)
    except OSError as bad:  # of ssl, too
        why = f"it can't be read ({bad.strerror or 'no certificate in it'})"
        raise ConfigurationError("mail.ca", why, "Name a PEM file with the mail server's authority") from bad
    return Mailbox(mail=mail, password=lambda: installation.secret("mail.password"), trust=trust)


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one round did."""

    noted: int = 0
    sent: int = 0
    failed: int = 0


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one transaction: who has it, and (None: everybody) a word of ours for what went wrong."""

    to: tuple[str, ...] = ()
    problem: str | None = None


class Postman:
    """Tells. Role ``ecluse_jobs``; one connection at a time."""

    def __init__(self, pool: Pool, box: Mailbox, office: Office) -> None:
        """Begin with nothing remembered: what was told is in the rows."""
        self._pool, self._box, self._office = pool, box, office
        self._parsed: dict[str, Contract | None] = {}
        # by processor: what was planned from, and until when nothing new comes of it
        self._planned: dict[str, tuple[object, datetime]] = {}
        self._contracts: dict[str, Contract] = {}
        self._house_due = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Go round until ``stop`` is set. What fails is logged in constant words and tried again."""
        while not stop.is_set():
            try:
                await self.round(stop)
            except _FAILED as failed:
                _log.warning("notices:round:failed", code=type(failed).__name__)
            except Exception as bug:  # noqa: BLE001 - the edge of a worker: it must not die silently
                _log.error("notices:round:bug", **describe(bug))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._box.mail.every_seconds)

    async def round(self, stop: asyncio.Event | None = None) -> Round:
        """Do one round. Raises the driver's errors."""
        noted = await self._note()  # 1
        async with self._pool.acquire() as connection:
            letters = await store.take(connection, _MOST)  # 2
        sent = failed = unwell = 0
        for place, letter in enumerate(letters):
            if unwell >= _UNWELL or (stop is not None and stop.is_set()):
                await self._put_back(letters[place:])
                break
            became = await _unless(stop, self._send(letter))  # 3
            if became is None:
                break  # the gate is stopped: whether it arrived is not known, and its lease will end
            await self._settle(letter, became)  # 4
            sent, failed = sent + (became.problem is None), failed + (became.problem is not None)
            unwell = 0 if became.problem is None else unwell + 1
        await self._keep_house()
        return Round(noted=noted, sent=sent, failed=failed)

    async def _note(self) -> int:
        """Plan what may be new, and note it (step 1)."""
        async with self._pool.acquire() as connection:
            found = await store.load_snapshot(connection, self._office.attributes, self._parsed)
        dues, looked = plan_matters(found.matters), dict[str, tuple[object, datetime]]()
        self._contracts = {force.contract.processor.id: force.contract for force in found.forces}
        for force in found.forces:
            processor = force.contract.processor.id
            before, until = self._planned.get(processor, (None, found.now))
            if before == force and found.now < until:
                continue
            planned, again = plan_gate(force, found.now, self._office.zone)
            dues += planned
            looked[processor] = (force, again)
            await asyncio.sleep(0)  # the gate's requests go first
        async with self._pool.acquire() as connection:
            noted = await store.note(connection, dues)
        self._planned |= looked  # not before it is noted: what is lost on the way is planned again
        return noted

    async def _send(self, letter: Letter) -> Sent:
        """Send one notice to whoever has not got it (step 3)."""
        contract = self._contracts.get(letter.due.processor or "")
        addresses = self._addresses(letter.due, contract)
        left = [address for address in addresses if address not in letter.sent_to]
        if not addresses:
            return Sent(problem="no-address")
        if not left:
            return Sent()
        said = say(letter.due, self._party(letter.due, contract))
        return await transmit(self._box, compose(self._box.mail, letter, said, addresses), left)

    def _addresses(self, due: Due, contract: Contract | None) -> list[str]:
        """Return where a party is told."""
        if due.audience is Audience.CONTROLLER:
            return list(self._box.mail.of_controller)
        known = [contract.processor.security_contact] if contract is not None else []
        return [address for address in known if is_mail_address(address)]

    def _party(self, due: Due, contract: Contract | None) -> Party:
        """Return of whom and to whom it is written."""
        to_us = due.audience is Audience.CONTROLLER or contract is None
        return Party(
            name=contract.processor.name if contract is not None else due.processor or "", controller=self._office.controller,
            reference=contract.reference if contract is not None else "", zone=self._office.zone,
            language="fr" if to_us and self._box.mail.language == "fr" else "en" if contract is None or to_us else language_of(contract.processor.country),
        )  # fmt: skip

    async def _settle(self, letter: Letter, became: Sent) -> None:
        """Write down what became of it (step 4)."""
        pause = _RETRIES[min(letter.attempts, len(_RETRIES)) - 1]
        async with self._pool.acquire() as connection:
            await store.settle(connection, letter.id, became.problem, became.to, pause)
        ATTEMPTS.labels("sent" if became.problem is None else "failed").inc()
        if became.problem is not None:
            _log.warning("notices:send:failed", code=became.problem, attempts=letter.attempts, topic=letter.due.topic.value)

    async def _put_back(self, letters: Sequence[Letter]) -> None:
        """Let what was taken and not tried be due soon: nothing is known against it."""
        async with self._pool.acquire() as connection:
            for letter in letters:
                await store.settle(connection, letter.id, "not-tried", (), _RETRIES[0])

    async def _keep_house(self) -> None:
        """Count what waits, and now and then forget what has served its time."""
        now = asyncio.get_running_loop().time()
        async with self._pool.acquire() as connection:
            waiting, dead = await store.counts(connection)
            WAITING.set(waiting)
            DEAD.set(dead)
            if now >= self._house_due:
                await store.purge(connection)
                self._house_due = now + _HOUSE_EVERY.total_seconds()


async def _unless(stop: asyncio.Event | None, work: Coroutine[object, object, Sent]) -> Sent | None:
    """Do some work, or give it up (None) as soon as ``stop`` is set: a gate that is stopped waits for no server."""
    if stop is None:
        return await work
    doing, ended = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({doing, ended}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.cancel()
    if doing.done():
        return doing.result()
    doing.cancel()
    with suppress(asyncio.CancelledError):
        await doing
    return None


def compose(mail: Mail, letter: Letter, said: Said, to: Sequence[str]) -> bytes:
    """Write the message: the same bytes for the same notice, whenever it is sent. A line break in a header is refused by the library besides."""
    message = EmailMessage(policy=WIRE)
    message["From"] = mail.sender
    message["To"] = ", ".join(to)
    if letter.due.audience is Audience.PROCESSOR and mail.of_controller:
        message["Reply-To"] = mail.of_controller[0]
    message["Subject"] = said.subject
    message["Date"] = letter.noted_at
    message["Message-ID"] = f"<{letter.id}@{mail.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answers it
    message.set_content(said.text, charset="utf-8", cte="quoted-printable")
    return message.as_bytes()


async def transmit(box: Mailbox, message: bytes, to: Sequence[str]) -> Sent:
    """Hand a message to the server in one SMTP transaction, within the time-out in all. What it answers in words goes no further."""
    mail = box.mail
    try:
        async with asyncio.timeout(mail.timeout_seconds), _server(box) as server:
            refused, _ = await server.sendmail(mail.sender, list(to), message)
    except Exception as error:  # noqa: BLE001 - whatever a server does to us is one failed attempt, and its words are not for our log
        return Sent(problem=problem_of(error))
    took = tuple(address for address in to if address not in refused)
    return Sent(to=took, problem=f"smtp-{next(iter(refused.values())).code}" if refused else None)


def _server(box: Mailbox) -> aiosmtplib.SMTP:
    """Return the server, not connected yet."""
    mail = box.mail
    return aiosmtplib.SMTP(
        hostname=mail.host, port=mail.port, timeout=mail.timeout_seconds, use_tls=mail.security is MailSecurity.TLS,
        start_tls=mail.security is MailSecurity.STARTTLS, tls_context=box.trust if mail.security is not MailSecurity.NONE else None,
        username=mail.user or None, password=box.password() if mail.user else None, local_hostname=mail.sender.rpartition("@")[2],
    )  # fmt: skip


async def knock(box: Mailbox) -> str | None:
    """Connect, secure, sign in and go; None, or a word of ours for what went wrong."""
    try:
        async with asyncio.timeout(box.mail.timeout_seconds), _server(box) as server:
            await server.noop()
    except Exception as error:  # noqa: BLE001 - as in `transmit`
        return problem_of(error)
    return None


def problem_of(error: BaseException) -> str:
    """Name what went wrong in a word of ours, never in the server's."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and len(causes) < 8:
        causes.append(cause)
    refused = type(error) is aiosmtplib.SMTPException and "STARTTLS" in error.message  # the library has no class for it
    if refused or any(isinstance(each, ssl.SSLError) for each in causes):
        return "tls"
    if isinstance(error, ConfigurationError):
        return "password-file"
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return f"sign-in-{error.code}"
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return f"smtp-{error.recipients[0].code}"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"smtp-{error.code}"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, (aiosmtplib.SMTPException, OSError)):
        return "connection"
    return type(error).__name__
