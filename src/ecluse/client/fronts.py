"""The two fronts, ``Client`` and ``AsyncClient``: they carry out the steps of an exchange over httpx and know nothing else.

Redirects are not followed: a proof is for one address. One front may be shared by threads, or by tasks, of one process. Proofs in the
background are one thread's, or one task's, work, begun with the first receipt and ended by ``close``.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar

import httpx

from ecluse import clock, ids
from ecluse.client.credential import Credential
from ecluse.client.exchange import Answer, Exchange, Lost, NeedToken, Pause, Reply, Send
from ecluse.client.pins import Pins
from ecluse.client.proving import Proofs, Proving
from ecluse.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ecluse.client.model import Disclosed, Head, Json, Proven, Session
    from ecluse.client.proving import Report
    from ecluse.client.trust import Policy

T = TypeVar("T")
TIMEOUT_SECONDS: Final = 10.0
TRIES: Final = 4  # the gate answers a grant again at most five times
AGAIN_SECONDS: Final = 10.0
"""After which receipts that the gate had no proof for are tried again in the background."""


class _Front:
    """What both fronts are made of."""

    def __init__(
        self,
        base_url: str,
        client_id: str,
        key_file: str | Path,
        *,
        policy: Policy | None,
        proofs: Proofs | str,
        report: Report | None,
        pins: str | Path | None,
        tries: int,
        unsafe_plain_http: bool,
    ) -> None:
        """Load the key and take the policy; nothing is sent yet. Raises ``ConfigurationError``."""
        credential = Credential.from_file(client_id, Path(key_file))
        if proofs not in set(Proofs):
            raise ConfigurationError("proofs", "it is no time for proofs", f"Say one of {', '.join(Proofs)}.")
        wanted = Proofs(proofs)
        if policy is None and (wanted is not Proofs.ON_REQUEST or pins is not None):
            raise ConfigurationError("policy", "without it no proof can be checked", "Pass the policy the controller gave you.")
        if (wanted is Proofs.BACKGROUND) != (report is not None):
            raise ConfigurationError(
                "report", "it goes with proofs in the background, and only with them", "Pass both or neither."
            )
        self._calls = Proving(
            credential, base_url, tries=tries, now=clock.now, draw=ids.random_bytes, unsafe_plain_http=unsafe_plain_http
        )
        kept = None if policy is None else Pins(policy, None if pins is None else Path(pins))
        self._calls.trust(policy, kept, wanted, report)
        self._closing = False


class Client(_Front):
    """A processor's client, blocking."""

    def __init__(
        self,
        base_url: str,
        client_id: str,
        key_file: str | Path,
        *,
        policy: Policy | None = None,
        proofs: Proofs | str = Proofs.ON_REQUEST,
        report: Report | None = None,
        pins: str | Path | None = None,
        tries: int = TRIES,
        timeout_seconds: float = TIMEOUT_SECONDS,
        unsafe_plain_http: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Be ``client_id`` at the gate of ``base_url``.

        ``policy``: whom proofs are believed from; ``proofs``: when receipts are proven; ``report``: whom those in the background are
        reported to; ``pins``: a folder that keeps the newest head seen of the log, so that the next process goes on from there.
        """
        super().__init__(
            base_url, client_id, key_file, policy=policy, proofs=proofs, report=report, pins=pins, tries=tries, unsafe_plain_http=unsafe_plain_http
        )  # fmt: skip
        self._http = httpx.Client(timeout=timeout_seconds, transport=transport)
        self._one_token, self._one_worker = threading.Lock(), threading.Lock()
        self._wake = threading.Event()
        self._worker: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Use as a context: connections are closed at its end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Wait some seconds for proofs in the background, report those that did not come, and close the connections."""
        with self._one_worker:
            self._closing = True
            worker = self._worker
        self._wake.set()
        if worker is not None:
            worker.join()
        self._http.close()
        self._calls.give_up()  # where a report raised, the worker ended before its work

    def disclose(self, appointment: str, agent: str, attributes: Sequence[str]) -> Disclosed:
        """Ask for named attributes of the person of an appointment, for an agent; raise ``Refused`` if the gate refuses."""
        return self._followed(self._run(self._calls.disclose(appointment, agent, attributes)))

    def sheet(self, session: str, agent: str) -> tuple[Disclosed, ...]:
        """Ask for a session's sheet of names."""
        return self._followed(self._run(self._calls.sheet(session, agent)))

    def proof(self, disclosed: Disclosed) -> Proven:
        """Fetch the log's proof of a disclosure and check it by the policy; raise ``ReceiptBroken`` if it fails, ``LogForked`` at worst."""
        return self._run(self._calls.prove(self._calls.pending(disclosed)))

    def head(self, origin: str) -> Head:
        """Read the public checkpoint of a log that the policy names; raise ``LogForked`` if it does not fit those seen before."""
        return self._run(self._calls.public_head(origin))

    def sessions(self, from_: datetime, to: datetime) -> tuple[Session, ...]:
        """List the sessions that start in ``[from_, to)``."""
        return self._run(self._calls.sessions(from_, to))

    def session(self, session: str) -> Session:
        """Read one session."""
        return self._run(self._calls.session(session))

    def whoami(self) -> dict[str, Json]:
        """Read who we are to the gate."""
        return self._run(self._calls.whoami())

    def changes(self, after: str) -> dict[str, Json]:
        """Read the places moved or cancelled since ``after``."""
        return self._run(self._calls.changes(after))

    def outcome(
        self, appointment: str, attendance: str, *, level: str | None = None, agent: str | None = None
    ) -> dict[str, Json]:
        """Say, or correct, how an appointment ended; raise ``Refused`` if the gate refuses."""
        return self._run(self._calls.outcome(appointment, attendance, level=level, agent=agent))

    def budget(self) -> dict[str, Json]:
        """Read what is left of the contract's ceilings."""
        return self._run(self._calls.budget())

    def _followed(self, answered: T) -> T:
        """Have the worker look for receipts that wait, and begin it with the first."""
        with self._one_worker:
            if self._calls.waiting and not self._closing and (self._worker is None or not self._worker.is_alive()):
                self._worker = threading.Thread(target=self._work, name="ecluse-proofs", daemon=True)
                self._worker.start()
        self._wake.set()
        return answered

    def _work(self) -> None:
        """Prove what waits, and what waits again, until the client closes."""
        while True:
            self._wake.clear()
            self._run(self._calls.settle())
            if self._closing:
                self._calls.give_up()
                return
            self._wake.wait(AGAIN_SECONDS if self._calls.waiting else None)

    def _run(self, exchange: Exchange[T]) -> T:
        reply: Reply = None
        while True:
            try:
                step = exchange.send(reply)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return] # a generator's result has no type here
            reply = None
            if isinstance(step, Send):
                reply = self._send(step)
            elif isinstance(step, Pause):
                time.sleep(step.seconds)
            elif isinstance(step, NeedToken):
                with self._one_token:
                    self._run(self._calls.authorise())

    def _send(self, step: Send) -> Reply:
        try:
            got = self._http.request(step.method, step.url, headers=step.headers, content=step.content)
        except httpx.TransportError:
            return Lost()
        return Answer(got.status_code, dict(got.headers), got.content)


class AsyncClient(_Front):
    """A processor's client for asyncio."""

    def __init__(
        self,
        base_url: str,
        client_id: str,
        key_file: str | Path,
        *,
        policy: Policy | None = None,
        proofs: Proofs | str = Proofs.ON_REQUEST,
        report: Report | None = None,
        pins: str | Path | None = None,
        tries: int = TRIES,
        timeout_seconds: float = TIMEOUT_SECONDS,
        unsafe_plain_http: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Be ``client_id`` at the gate of ``base_url``.

        ``policy``: whom proofs are believed from; ``proofs``: when receipts are proven; ``report``: whom those in the background are
        reported to; ``pins``: a folder that keeps the newest head seen of the log, so that the next process goes on from there.
        """
        super().__init__(
            base_url, client_id, key_file, policy=policy, proofs=proofs, report=report, pins=pins, tries=tries, unsafe_plain_http=unsafe_plain_http
        )  # fmt: skip
        self._http = httpx.AsyncClient(timeout=timeout_seconds, transport=transport)
        self._one_token = asyncio.Lock()
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Use as a context: connections are closed at its end."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Wait some seconds for proofs in the background, report those that did not come, and close the connections."""
        self._closing = True
        self._wake.set()
        try:
            if self._worker is not None:
                await self._worker
        finally:
            await self._http.aclose()
            self._calls.give_up()  # where a report raised, the worker ended before its work

    async def disclose(self, appointment: str, agent: str, attributes: Sequence[str]) -> Disclosed:
        """Ask for named attributes of the person of an appointment, for an agent; raise ``Refused`` if the gate refuses."""
        return self._followed(await self._run(self._calls.disclose(appointment, agent, attributes)))

    async def sheet(self, session: str, agent: str) -> tuple[Disclosed, ...]:
        """Ask for a session's sheet of names."""
        return self._followed(await self._run(self._calls.sheet(session, agent)))

    async def proof(self, disclosed: Disclosed) -> Proven:
        """Fetch the log's proof of a disclosure and check it by the policy; raise ``ReceiptBroken`` if it fails, ``LogForked`` at worst."""
        return await self._run(self._calls.prove(self._calls.pending(disclosed)))

    async def head(self, origin: str) -> Head:
        """Read the public checkpoint of a log that the policy names; raise ``LogForked`` if it does not fit those seen before."""
        return await self._run(self._calls.public_head(origin))

    async def sessions(self, from_: datetime, to: datetime) -> tuple[Session, ...]:
        """List the sessions that start in ``[from_, to)``."""
        return await self._run(self._calls.sessions(from_, to))

    async def session(self, session: str) -> Session:
        """Read one session."""
        return await self._run(self._calls.session(session))

    async def whoami(self) -> dict[str, Json]:
        """Read who we are to the gate."""
        return await self._run(self._calls.whoami())

    async def changes(self, after: str) -> dict[str, Json]:
        """Read the places moved or cancelled since ``after``."""
        return await self._run(self._calls.changes(after))

    async def outcome(
        self, appointment: str, attendance: str, *, level: str | None = None, agent: str | None = None
    ) -> dict[str, Json]:
        """Say, or correct, how an appointment ended; raise ``Refused`` if the gate refuses."""
        return await self._run(self._calls.outcome(appointment, attendance, level=level, agent=agent))

    async def budget(self) -> dict[str, Json]:
        """Read what is left of the contract's ceilings."""
        return await self._run(self._calls.budget())

    def _followed(self, answered: T) -> T:
        """Have the worker look for receipts that wait, and begin it with the first."""
        if self._calls.waiting and not self._closing and (self._worker is None or self._worker.done()):
            self._worker = asyncio.create_task(self._work(), name="ecluse-proofs")
        self._wake.set()
        return answered

    async def _work(self) -> None:
        """Prove what waits, and what waits again, until the client closes."""
        while True:
            self._wake.clear()
            await self._run(self._calls.settle())
            if self._closing:
                self._calls.give_up()
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), AGAIN_SECONDS if self._calls.waiting else None)

    async def _run(self, exchange: Exchange[T]) -> T:
        reply: Reply = None
        while True:
            try:
                step = exchange.send(reply)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return] # a generator's result has no type here
            reply = None
            if isinstance(step, Send):
                reply = await self._send(step)
            elif isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            elif isinstance(step, NeedToken):
                async with self._one_token:
                    await self._run(self._calls.authorise())

    async def _send(self, step: Send) -> Reply:
        try:
            got = await self._http.request(step.method, step.url, headers=step.headers, content=step.content)
        except httpx.TransportError:
            return Lost()
        return Answer(got.status_code, dict(got.headers), got.content)
