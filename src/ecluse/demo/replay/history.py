"""The database's administrator, who hides disclosures: past every trigger, with a superuser's rights, but without the log's key.

1 *deleted*: an entry and its opening go. 2 *rewritten*: an opening says that another agent asked, its entry and all tiles are made to fit. 3 *cut off*: the
last entries go with their tiles, heads and counts, as if they had never been. The first two are looked at in a transaction that is rolled back; the third is
committed, so that a client sees it over HTTP, and put back. Who looks has nothing but what is theirs: fsck the database and the log's verifier key, the signer
its own memory, the client the newest head that it was shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from ecluse import ids
from ecluse.client import AsyncClient, ClientError, LogForked, policy_of_vkey
from ecluse.demo.founding import ORIGIN
from ecluse.demo.replay.attack import Attack
from ecluse.demo.replay.model import START, Kind
from ecluse.demo.replay.stage import Stage
from ecluse.demo.replay.terms import TOKEN
from ecluse.demo.replay.thief import Thief
from ecluse.install import LOG_ID, signer_of
from ecluse.ledger import leaf_hash
from ecluse.ledger.errors import LedgerBehind, SignerHeld
from ecluse.ledger.fields import SALT_BYTES, commit, fields_of
from ecluse.ledger.fsck import check_log
from ecluse.ledger.tiles import TileEdge

_SOME: Final = 20
_CUT: Final = 20
_WAITS: Final = 300
_PAUSE_SECONDS: Final = 0.1
_VICTIM: Final = """
select o.index, o.fields from ecluse.opening o where o.processor_id = $1 and o.event = 'disclosure:person:granted' order by o.index desc limit 1
"""
_PUBLISHED: Final = """
select h.size = coalesce((select max(c.size) from ecluse.ledger_checkpoint c where c.log_id = h.log_id), 0) from ecluse.ledger_head h where h.log_id = 1
"""
_KEEP: Final = (
    "create temporary table kept_entry as select * from ecluse.ledger_entry where log_id = 1 and index >= $1",
    "create temporary table kept_opening as select * from ecluse.opening where log_id = 1 and index >= $1",
    "create temporary table kept_checkpoint as select * from ecluse.ledger_checkpoint where log_id = 1 and size > $1",
    "create temporary table kept_tile as select * from ecluse.ledger_tile where log_id = 1 and $1::bigint is not null",
    "create temporary table kept_counts as select * from ecluse.counts_day where log_id = 1 and index >= $1",
    "create temporary table kept_refusals as select * from ecluse.refusal_count where noted >= $1",
    "create temporary table kept_head as select h.log_id, h.size, $1::bigint as cut from ecluse.ledger_head h where h.log_id = 1",
)
_CUT_OFF: Final = (
    "delete from ecluse.opening where log_id = 1 and index >= $1",
    "delete from ecluse.ledger_entry where log_id = 1 and index >= $1",
    "delete from ecluse.ledger_checkpoint where log_id = 1 and size > $1",
    "update ecluse.ledger_head set size = $1 where log_id = 1",
)
_PUT_BACK: Final = (
    # the gate lives on meanwhile: what its workers sealed on the shortened log gives way to what was there, and falls due again
    "delete from ecluse.opening o using kept_head k where o.log_id = 1 and o.index >= k.cut",
    "delete from ecluse.ledger_entry e using kept_head k where e.log_id = 1 and e.index >= k.cut",
    "delete from ecluse.ledger_checkpoint c using kept_head k where c.log_id = 1 and c.size > k.cut",
    "delete from ecluse.counts_day d using kept_head k where d.log_id = 1 and d.index >= k.cut",
    "insert into ecluse.counts_day select * from kept_counts",
    "update ecluse.refusal_count r set noted = null from kept_head k where r.noted >= k.cut",
    "update ecluse.refusal_count r set noted = k.noted from kept_refusals k where (k.client_id, k.minute) = (r.client_id, r.minute)",
    "insert into ecluse.ledger_entry select * from kept_entry",
    "insert into ecluse.opening select * from kept_opening",
    "insert into ecluse.ledger_checkpoint select * from kept_checkpoint",
    "delete from ecluse.ledger_tile where log_id = 1",
    "insert into ecluse.ledger_tile select * from kept_tile",
    "update ecluse.ledger_head h set size = k.size from kept_head k where h.log_id = 1",
)


class EditedHistory(Attack):
    """History is edited in the database."""

    kind = Kind.HISTORY

    def __init__(self, stage: Stage) -> None:
        """Begin while somebody is due, so that there is something to hide."""
        super().__init__(stage, START + timedelta(hours=10))
        self._client = AsyncClient(
            stage.base_url, stage.party(TOKEN).client_id, stage.party(TOKEN).key_file, policy=policy_of_vkey(stage.vkey)
        )

    async def play(self) -> AsyncGenerator[datetime, None]:
        """Let some persons be disclosed; on the last day hide them, in three ways."""
        owner = Thief(self.stage.base_url, self.stage.party(TOKEN))
        try:
            await owner.look(self.stage.clock.at)
            await owner.ask_all(islice(owner.places, _SOME), owner.agents[0])
            yield self.stage.options.ends - timedelta(hours=1)
            await self.promise_nothing("sealed history (promise 8)")
            await self._published()
            await self._client.head(ORIGIN)  # what the client holds from now on
            hidden = {
                "deleted": (1, await self._deleted()),
                "rewritten": (1, await self._rewritten()),
                "cut off": (_CUT, await self._cut_off()),
            }
            self.more = {f"{name}, found by": ", ".join(seen) or "nobody" for name, (_, seen) in hidden.items()}
            self.persons = sum(count for count, seen in hidden.values() if not seen)
            if self.persons:
                self.wrong.append("history was edited and nobody saw it")
            if await self._seen_by_fsck():
                self.wrong.append("the log was not whole again afterwards")
        finally:
            await owner.close()
            await self._client.close()

    async def _published(self) -> None:
        """Wait until a signed head covers every entry."""
        for _ in range(_WAITS):
            if await self.stage.admin.fetchval(_PUBLISHED):
                return
            await asyncio.sleep(_PAUSE_SECONDS)
        raise AssertionError("impossible: the gate signs within a second")

    async def _deleted(self) -> list[str]:
        """Delete the last disclosure of a processor."""
        async with self._unseen():
            row = await self.stage.admin.fetchrow(_VICTIM, TOKEN.id)
            if row is None:
                raise AssertionError("impossible: nothing to hide")
            for table in ("opening", "ledger_entry"):
                await self.stage.admin.execute(f"delete from ecluse.{table} where log_id = 1 and index = $1", row["index"])  # noqa: S608 - our own words
            await self._tile_anew()
            return await self._seen_by_fsck()

    async def _rewritten(self) -> list[str]:
        """Let another agent have asked; entry and tiles are made to fit."""
        async with self._unseen():
            row = await self.stage.admin.fetchrow(_VICTIM, TOKEN.id)
            if row is None:
                raise AssertionError("impossible: nothing to rewrite")
            other = self.stage.party(TOKEN).agents[-1]
            fields = [(name, other if name == "agent" else value) for name, value in fields_of(row["fields"])]
            made = commit(fields, ids.random_bytes(SALT_BYTES * len(fields)))
            entry = "update ecluse.ledger_entry set leaf = $2 where log_id = 1 and index = $1"
            await self.stage.admin.execute(entry, row["index"], made.leaf)
            opening = "update ecluse.opening set fields = $2, salts = $3, agent_id = $4 where log_id = 1 and index = $1"
            await self.stage.admin.execute(opening, row["index"], made.fields, made.salts, other)
            root = await self._tile_anew()
            size = await self.stage.admin.fetchval("select size from ecluse.ledger_head where log_id = 1")
            return await self._seen_by_fsck() + await self._seen_by_signer(size, root)

    async def _cut_off(self) -> list[str]:
        """Let the last entries never have been; put them back."""
        admin = self.stage.admin
        left = await self.stage.size() - _CUT
        try:
            async with self._past_triggers(), admin.transaction():
                for statement in (*_KEEP, *_CUT_OFF):
                    await admin.execute(statement, left)
                root = await self._tile_anew()
            return await self._seen_by_fsck() + await self._seen_by_signer(left, root) + await self._seen_by_client()
        finally:
            async with self._past_triggers(), admin.transaction():
                for statement in _PUT_BACK:
                    await admin.execute(statement)

    async def _tile_anew(self) -> bytes:
        """Write all tiles from the entries, as nobody could tell from true ones; return the root."""
        rows = await self.stage.admin.fetch("select leaf from ecluse.ledger_entry where log_id = 1 order by index")
        edge = TileEdge()
        edge.extend([leaf_hash(row["leaf"]) for row in rows])
        await self.stage.admin.execute("delete from ecluse.ledger_tile where log_id = 1")
        await self.stage.admin.executemany(
            "insert into ecluse.ledger_tile (log_id, level, tile, hashes) values (1, $1, $2, $3)",
            [(level, tile, raw) for (level, tile), raw in [*edge.take_full(), *edge.partial()]],
        )
        return edge.root()

    @asynccontextmanager
    async def _past_triggers(self) -> AsyncIterator[None]:
        """Do as a superuser can: let the triggers that refuse it keep silent."""
        await self.stage.admin.execute("set session_replication_role = replica")
        try:
            yield
        finally:
            await self.stage.admin.execute("set session_replication_role = origin")

    @asynccontextmanager
    async def _unseen(self) -> AsyncIterator[None]:
        """Edit in a transaction that is rolled back once everybody has looked."""
        transaction = self.stage.admin.transaction(isolation="repeatable_read")
        async with self._past_triggers():
            await transaction.start()
            try:
                yield
            finally:
                await transaction.rollback()

    async def _seen_by_fsck(self) -> list[str]:
        """Recompute the whole log as `ecluse ledger fsck` does."""
        report = await check_log(self.stage.admin, LOG_ID, self.stage.vkey)
        return [] if report.sound else ["fsck"]

    async def _seen_by_signer(self, size: int, root: bytes) -> list[str]:
        """Have the log's own signer sign the edited head, with its own memory."""
        signer = signer_of(self.stage.installation, LOG_ID, ORIGIN)
        for _ in range(_WAITS):
            try:
                with signer.hold():
                    signer.sign(size, root, [])
            except SignerHeld:  # the gate's own round
                await asyncio.sleep(_PAUSE_SECONDS)
            except LedgerBehind:
                return ["signer"]
            else:
                return []
        raise AssertionError("impossible: the gate holds its signer for ever")

    async def _seen_by_client(self) -> list[str]:
        """Have the client look at the log's public head again."""
        try:
            await self._client.head(ORIGIN)
        except LogForked:
            return ["client"]
        except ClientError:
            return []
        return []
