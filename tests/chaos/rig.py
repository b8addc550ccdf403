"""The rig: an agency on a PostgreSQL of its own that may be killed, several gates on it, and the checks that nothing was lost or mixed up.

Everything is the real part: gate processes, PostgreSQL, a register, signed requests. What a scenario breaks it breaks from outside.
"""

from __future__ import annotations

import asyncio
import random
import signal
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecluse.embedded import EmbeddedPostgres
from ecluse.ledger import fsck, leaf_hash
from ecluse.ledger.sign import Signer, load_log_key
from tests.agency import ORIGIN, Agency, Gate, founded
from tests.e2e.outsider import check_receipt

GRANTED = "disclosure:person:granted"


@dataclass(kw_only=True)
class Rig:
    """What a scenario may break. ``chance``: every choice of the scenario, from one seed; ``say``: tells whoever waits how far it is."""

    postgres: EmbeddedPostgres
    agency: Agency
    chance: random.Random
    say: Callable[[str], object] = lambda _: None

    def port(self) -> int:
        """Choose one of the gates that run."""
        return self.chance.choice(self.agency.gates).port if self.agency.gates else 1

    async def start_gates(self, count: int, **options: object) -> None:
        """Start gates, the first alone: it takes the public address; ``options`` as `Agency.start_gate` takes them."""
        first = 0 if self.agency.gates else 1
        for together in (first, count - first):
            await asyncio.gather(*(asyncio.to_thread(self.agency.start_gate, **options) for _ in range(together)))

    def kill_gate(self, gate: Gate) -> None:
        """End a gate without a word."""
        self.agency.gates.remove(gate)
        gate.process.kill()
        gate.process.join()

    async def kill_postgres(self) -> None:
        """End the postmaster without a word; its children follow by themselves."""
        await asyncio.to_thread(self.postgres.kill, signal.SIGKILL)

    def check_complaints(self) -> None:
        """Check that no gate logged what none may ever log: the signer refused, or a bug."""
        words = ("ledger:integrate:refused", "ledger:integrate:bug", "web:internal", "door:batch:failed")
        lines = (line for log in sorted(self.agency.folder.glob("gate-*.log")) for line in log.read_text("utf-8").split("\n"))
        found = [line for line in lines if any(word in line for word in words)]
        if found:
            raise AssertionError("\n".join(found[:20]))


@contextmanager
def rigged(*, seed: int = 20260105, shared_buffers: str = "64MB") -> Iterator[Rig]:
    """Found an agency without a gate on a PostgreSQL of its own; all of it is gone at the end, whatever was killed."""
    with tempfile.TemporaryDirectory(prefix="ecluse-chaos-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # as root the server runs under another account, which has to pass
        postgres = EmbeddedPostgres(folder / "postgres", folder / "keys", shared_buffers=shared_buffers)
        postgres.create()
        with postgres, founded(postgres, folder / "ecluse-data", gate=False) as agency:
            try:
                yield Rig(postgres=postgres, agency=agency, chance=random.Random(seed))  # noqa: S311 - choices of a scenario, repeatable
            finally:
                postgres.start()


# ── what must hold whatever was broken ───────────────────────────────────────────────────────────────────────────────────────
async def check_log(agency: Agency) -> int:
    """Check the whole log as ``ecluse ledger fsck`` does, by the key outside the database; return its size."""
    installation = agency.installation
    signer = Signer(installation.state / "log.checkpoint", ORIGIN, load_log_key(installation.secret("log.key")))
    async with agency.connected("ecluse_reader") as reader:
        report = await fsck.check_log(reader, 1, signer.vkey)
    assert report.problems == (), report.problems
    assert report.entries == report.openings == report.size
    return report.size


async def check_bodies(agency: Agency, bodies: Sequence[dict[str, Any]]) -> None:
    """Check that each person delivered has an entry of its own with the leaf of its receipt, and shows what it commits to.

    Several bodies of one entry are the first and its counted redeliveries: they are the same receipt.
    """
    rows = await agency.fetch(
        "select index, leaf from ecluse.ledger_entry where log_id = 1 and index = any($1::bigint[])",
        sorted({body["receipt"]["index"] for body in bodies}),
    )
    sealed = {row["index"]: leaf_hash(row["leaf"]).hex() for row in rows}
    first: dict[int, dict[str, Any]] = {}
    for body in bodies:
        receipt = body["receipt"]
        assert sealed.get(receipt["index"]) == receipt["leaf_hash"]
        if first.setdefault(receipt["index"], body) is body:
            check_receipt(body)
        else:
            assert first[receipt["index"]] == body


async def check_deliveries(
    agency: Agency, bodies: Iterable[dict[str, Any]], *, all_arrived: bool, delivered: Counter[int] | None = None
) -> None:
    """Check that no entry was delivered more often than once and its counted redeliveries; exactly so where no answer was lost.

    ``delivered``: how often each was before, where some were checked before; these are added. Called within twenty minutes: then the counts are cleared away.
    """
    delivered = Counter() if delivered is None else delivered
    lately = Counter(body["receipt"]["index"] for body in bodies)
    delivered.update(lately)
    rows = await agency.fetch(
        "select index, redeliveries from ecluse.idempotency where log_id = 1 and index = any($1::bigint[])", list(lately)
    )
    counted = {row["index"]: 1 + row["redeliveries"] for row in rows}
    for index in lately:
        assert delivered[index] <= counted[index] <= 6
        assert delivered[index] == counted[index] or not all_arrived


async def granted_by(agency: Agency, processor: str) -> list[dict[str, Any]]:
    """Return the grants sealed for a processor, as the controller may read them."""
    return [entry for entry in await agency.openings() if entry.get("processor") == processor and entry["event"] == GRANTED]


async def until_signed(agency: Agency) -> None:
    """Wait until a checkpoint covers every entry: the signer signs, whatever happened before."""
    size = await agency.size()

    async def covered() -> bool:
        rows = await agency.fetch("select coalesce(max(size), 0) as size from ecluse.ledger_checkpoint")
        return bool(rows[0]["size"] >= size)

    await until(covered)


async def until(holds: Callable[[], Awaitable[bool]], *, seconds: float = 60, every: float = 0.02) -> None:
    """Ask again and again until something holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - what other processes do is no event of ours
            await asyncio.sleep(every)
