"""Having receipts proven by the log, and being a witness on the way: every head that is believed has to fit those seen before.

1 the head is signed by a log of the policy and cosigned by its quorum; 2 the entry is in it; 3 it begins with the newest head seen, or
that one with it, shown by the log's public tiles (C2SP tlog-tiles); 4 the newer one is kept. What fails at 3 is a fork, and both notes
are evidence.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeAlias
from urllib.parse import quote

from ecluse.client.calls import Calls, read_proof
from ecluse.client.errors import QuorumMissing, ReceiptBroken, Unavailable, Unproven
from ecluse.client.exchange import Exchange
from ecluse.client.model import Checkpoint, Disclosed, Head, Pending, Proven
from ecluse.client.pins import Pins
from ecluse.client.tree import HASH_BYTES, TILE_WIDTH, Tile, check_extends, path_between, tile_path, tile_width, tiles_between
from ecluse.client.trust import Policy, believe
from ecluse.errors import ConfigurationError, EcluseError

PROOF_TRIES: Final = 6
PATIENCE: Final = timedelta(hours=1)
MOST_WAITING: Final = 10_000
_ROUNDS: Final = 32
_NUMBERED: Final = re.compile(r"-([2-9]|[1-9][0-9]{1,2})$")
Report: TypeAlias = Callable[[Pending, EcluseError], None]
"""Who is told of a receipt that does not hold (``ReceiptBroken``, ``LogForked``) or got no proof in time (``Unproven``)."""


class Proofs(StrEnum):
    """When a client has its receipts proven by the log. Each is checked against its own answer at once, whatever is chosen."""

    ON_REQUEST = "on-request"
    """When ``proof`` is called."""
    AT_ONCE = "at-once"
    """Before ``disclose`` and ``sheet`` return: a second or two later, ``Disclosed.proven`` has it."""
    BACKGROUND = "background"
    """After they have returned; ``report`` is told what does not hold."""


class Proving(Calls):
    """The calls, and the log's proof of what they gave. ``policy``: the root of trust, without which nothing is proven."""

    def trust(self, policy: Policy | None, pins: Pins | None, proofs: Proofs, report: Report | None) -> None:
        """Take what proofs need; called once, before any call."""
        self._policy, self._pins, self._proofs, self._report = policy, pins, proofs, report
        self.waiting: deque[Pending] = deque()
        self._urls: dict[str, str] = {}

    def disclose(self, appointment: str, agent: str, attributes: Sequence[str]) -> Exchange[Disclosed]:
        """Ask for a person, and have the receipt proven as the client is set."""
        disclosed = yield from super().disclose(appointment, agent, attributes)
        return (yield from self._followed(disclosed))

    def sheet(self, session: str, agent: str) -> Exchange[tuple[Disclosed, ...]]:
        """Ask for a session's sheet, and have the receipts proven as the client is set."""
        rows = yield from super().sheet(session, agent)
        followed = []
        for disclosed in rows:
            followed.append((yield from self._followed(disclosed)))  # noqa: PERF401 - a comprehension can't yield
        return tuple(followed)

    def _followed(self, disclosed: Disclosed) -> Exchange[Disclosed]:
        """Have a receipt proven now or later. Without a proof the person is answered all the same; with a wrong one nobody is."""
        pending = self.pending(disclosed)
        if self._proofs is Proofs.BACKGROUND:
            self._wait_for(pending)
        if self._proofs is not Proofs.AT_ONCE:
            return disclosed
        try:
            return replace(disclosed, proven=(yield from self.prove(pending)))
        except ReceiptBroken:
            raise
        except EcluseError:
            return disclosed

    def pending(self, disclosed: Disclosed) -> Pending:
        """Return what a proof is asked for with: the receipt, and nothing of the person."""
        return Pending(disclosure=disclosed.disclosure, receipt=disclosed.receipt, since=self._now())

    def prove(self, pending: Pending) -> Exchange[Proven]:
        """Fetch and check the log's proof, waiting some seconds for the next head and its witnesses; raise ``Unavailable`` after that."""
        policy, _ = self._trust()
        path = f"/v1/disclosures/{quote(pending.disclosure, safe='')}/proof"
        trouble = ""
        for attempt in range(PROOF_TRIES):
            if attempt:
                yield self.pause(attempt + 1)
            answer = yield from self.call("GET", path)
            try:
                proven = read_proof(answer, pending.receipt, policy)
            except QuorumMissing:
                trouble = "not-yet-cosigned"
                continue
            if proven is not None:
                yield from self.witness(proven.head)
                return proven
            trouble = "not-yet-signed"
        raise Unavailable(trouble)

    def public_head(self, origin: str) -> Exchange[Head]:
        """Read the log's public checkpoint, believe it by the policy, and check that it fits what was seen."""
        policy, _ = self._trust()
        url = yield from self._log_url(origin)
        note = yield from self.fetch(f"{url}/checkpoint")
        if note is None:
            raise Unavailable("not-published")
        head = believe(note, policy)
        if head.checkpoint.origin != origin:
            raise ReceiptBroken("the checkpoint is of another log")
        yield from self.witness(head)
        return head

    def witness(self, head: Head) -> Exchange[None]:
        """Check that a head that is believed fits every one seen before, and keep it if it is newer; raise ``LogForked``."""
        _, pins = self._trust()
        for _ in range(_ROUNDS):
            seen = pins.seen(head.checkpoint.origin)
            for each in seen:
                yield from self._fits(each, head)
            if pins.keep(head, seen):
                return
        raise Unavailable("busy")

    def settle(self) -> Exchange[None]:
        """Prove what waits, oldest first, until nothing waits or the gate has no proof to give: then the rest waits on, an hour at most."""
        while self.waiting:
            pending = self.waiting[0]
            try:
                yield from self.prove(pending)
            except (ReceiptBroken, ConfigurationError) as broken:
                self._tell(self.waiting.popleft(), broken)
            except EcluseError as trouble:
                if self._now() - pending.since < PATIENCE:
                    return
                self._tell(self.waiting.popleft(), Unproven(trouble.last if isinstance(trouble, Unavailable) else trouble.code))
            else:
                self.waiting.popleft()

    def _wait_for(self, pending: Pending) -> None:
        """Let a receipt wait for its proof; one too many is reported at once."""
        if len(self.waiting) >= MOST_WAITING:
            self._tell(pending, Unproven("too-many"))
        else:
            self.waiting.append(pending)

    def give_up(self) -> None:
        """Report what still waits: the client is closing."""
        while self.waiting:
            self._tell(self.waiting.popleft(), Unproven("closed"))

    def _fits(self, seen: Head, shown: Head) -> Exchange[None]:
        """Check that of two heads of one log the larger begins with the smaller."""
        older, newer = sorted((seen.checkpoint, shown.checkpoint), key=lambda one: one.size)
        if older.size == newer.size:
            if older.root != newer.root:
                raise self._fork(f"the log shows two histories of its first {older.size} entries", seen, shown)
        elif older.size:
            tiles = yield from self._tiles(older, newer)
            if tiles is None:
                if shown.checkpoint is newer:
                    raise Unavailable("log-incomplete")
                raise self._fork(f"the log showed {newer.size} entries, and now only {older.size}", seen, shown)
            try:
                check_extends(older, newer, path_between(older.size, newer.size, tiles))
            except ReceiptBroken:
                why = f"the log's {newer.size} entries do not begin with the {older.size} that it showed, by its own tiles"
                raise self._fork(why, seen, shown) from None

    def _tiles(self, older: Checkpoint, newer: Checkpoint) -> Exchange[dict[Tile, bytes] | None]:
        """Read the public tiles that lead from one head to another; None if the log lacks one."""
        found: dict[Tile, bytes] = {}
        url = yield from self._log_url(newer.origin)
        for tile in tiles_between(older.size, newer.size):
            width = tile_width(tile, newer.size)
            raw = yield from self.fetch(f"{url}/{tile_path(tile, width)}")
            if raw is None and width < TILE_WIDTH:  # once it is full, a log may drop the partial one
                raw = yield from self.fetch(f"{url}/{tile_path(tile, TILE_WIDTH)}")
            if raw is None or len(raw) < width * HASH_BYTES:
                return None
            found[tile] = raw[: width * HASH_BYTES]
        return found

    def _log_url(self, origin: str) -> Exchange[str]:
        """Return where the log's public files are: as the policy says, else where the gate serves a checkpoint of that name.

        The name alone is read there, and believed for nothing: a log in another's place must not look like a fork. One that took the
        place of another is numbered: ``…-2`` is ``/ledger/main-2``.
        """
        policy, _ = self._trust()
        if origin not in self._urls:
            number = _NUMBERED.search(origin)
            names = [f"main-{number[1]}"] if number else []
            served = [f"{self.base_url}/ledger/{name}" for name in (*names, "main")]
            for url in [policy.url_of(origin)] if policy.url_of(origin) else served:
                note = yield from self.fetch(f"{url.rstrip('/')}/checkpoint")
                if note is not None and note.partition(b"\n")[0] == origin.encode():
                    self._urls[origin] = url.rstrip("/")
                    return self._urls[origin]
            raise Unavailable("log-not-found")
        return self._urls[origin]

    def _trust(self) -> tuple[Policy, Pins]:
        if self._policy is None or self._pins is None:
            raise ConfigurationError(
                "policy", "no log is trusted yet", "Pass the policy the controller gave you, or policy_of_vkey of its log key."
            )
        return self._policy, self._pins

    def _fork(self, why: str, seen: Head, shown: Head) -> ReceiptBroken:
        _, pins = self._trust()
        return pins.fork(why, seen, shown)

    def _tell(self, pending: Pending, error: EcluseError) -> None:
        if self._report is None:
            raise AssertionError("impossible: proven in the background and nobody to tell")
        self._report(pending, error)
