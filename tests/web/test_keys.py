"""Keys changed while the gates serve: a machine's, the tokens', the fingerprints' and a database role's, two replicas under load."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from ecluse import install
from ecluse.cli import rotate
from ecluse.identity import parse_public_jwk
from ecluse.identity.service import add_key, revoke_key
from tests.agency import Agency, Gate
from tests.e2e.desk import Desk, at_work, code_of
from tests.e2e.outsider import Outsider

pytestmark = pytest.mark.web

MOST_SECONDS = 20.0
"""How long a test waits for what has to come; it is over much earlier."""
SOON = timedelta(seconds=7)
"""When a new token key begins: after the gates have looked at the file, which they do every five seconds."""


@pytest.fixture(scope="module")
def replica(agency: Agency) -> Gate:
    """A second gate of the agency."""
    return agency.start_gate(ledger__sign=False)


@asynccontextmanager
async def under_load(*asks: Any) -> AsyncIterator[Counter[str]]:
    """Ask again and again, one after the other in each of these ways, while the test changes things; count the answers."""
    answers: Counter[str] = Counter()
    done = asyncio.Event()

    async def go_on(ask: Any) -> None:
        while not done.is_set():
            answers[await ask()] += 1

    tasks = [asyncio.create_task(go_on(ask)) for ask in asks]
    try:
        yield answers
    finally:
        done.set()
        await asyncio.gather(*tasks)


def asking(desk: Desk, machine: Outsider, person: int) -> Any:
    """Return what asks for one person and tells how it was answered."""

    async def ask() -> str:
        return code_of(await machine.disclose(desk.handles[person], desk.party.agent))

    return ask


def elsewhere(desk: Desk, gate: Gate) -> Outsider:
    """Return the same machine, at another gate."""
    return Outsider(desk.machine.public_url, desk.machine.client, desk.machine.key, via=gate.url)


async def kid_of(machine: Outsider) -> str:
    """Get a token and say which key signed it."""
    kid: str = jws.extract_compact((await machine.get_token()).encode()).headers()["kid"]
    return kid


async def published(machine: Outsider) -> list[str]:
    """Return the keys that a gate publishes."""
    return [key["kid"] for key in (await machine.http.get("/oauth/jwks")).json()["keys"]]


async def until(condition: Any) -> None:
    """Wait for something that has to come."""
    end = time.monotonic() + MOST_SECONDS
    while not await condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.1)


# ── a machine's key ──────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_client_key_when_the_first_is_revoked_under_load_then_refused_from_its_entry_on(
    agency: Agency, replica: Gate
) -> None:
    """Two keys are good side by side at both replicas; after the entry that revokes the first nothing is granted to it, and the second misses nothing."""
    second = ECKey.generate_key("P-256")
    async with at_work(agency, [10, 11, 12, 13], reads=100_000) as desk:
        name = desk.machine.client
        async with agency.connected("ecluse_app") as app:
            await add_key(app, log_id=1, client=name, key=parse_public_jwk(second.as_dict(private=False)), actor="cli:test")
        async with (
            Outsider(agency.public_url, name, desk.machine.key, via=replica.url) as old_there,
            Outsider(agency.public_url, name, second) as new_here,
            Outsider(agency.public_url, name, second, via=replica.url) as new_there,
        ):
            old = under_load(asking(desk, desk.machine, 10), asking(desk, old_there, 11))
            new = under_load(asking(desk, new_here, 12), asking(desk, new_there, 13))
            async with old as of_old, new as of_new:
                await until(lambda: _reached(of_old, of_new, 10))
                async with agency.connected("ecluse_app") as app:
                    gone = await revoke_key(
                        app, log_id=1, client=name, thumbprint=desk.machine.key.thumbprint(), actor="cli:test"
                    )
                before = of_new["ok"]
                await until(lambda: _reached(of_new, of_new, before + 10))
    assert set(of_new) == {"ok"}
    assert of_old.keys() - {"ok"} == {"suspended"}
    later = [entry for entry in await agency.openings(since=gone.index) if entry.get("client") == name]
    granted = {entry["appointment"] for entry in later if entry["event"] == "disclosure:person:granted"}
    assert granted == {desk.handles[12], desk.handles[13]}


async def _reached(one: Counter[str], other: Counter[str], count: int) -> bool:
    """Tell whether both were granted so often."""
    return min(one["ok"], other["ok"]) >= count


# ── the tokens' key ──────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_token_key_when_it_turns_under_load_then_nobody_is_refused(agency: Agency, replica: Gate) -> None:
    """Before the turn the new key is published and the old signs, after it the new; tokens of either are good at both replicas throughout."""
    async with at_work(agency, [14, 15], reads=100_000) as desk, elsewhere(desk, replica) as there:
        old = await kid_of(desk.machine)

        async def fresh() -> str:
            there.access_token = desk.machine.access_token = await (
                there if desk.machine.access_token else desk.machine
            ).get_token()
            return code_of(await desk.disclose(14))

        async with under_load(fresh, asking(desk, there, 15), asking(desk, desk.machine, 14)) as answers:
            new, from_at = rotate.rotate_token(agency.installation, wait=SOON, at_once=False)
            await until(lambda: _publishes(desk.machine, there, [old, new]))
            early = datetime.now(UTC) < from_at
            first = await kid_of(desk.machine)
            await until(lambda: _signs(desk.machine, there, new))
            last = await published(there)
    assert set(answers) == {"ok"}
    assert (early, first) == (True, old)
    assert last == [old, new]


async def _publishes(here: Outsider, there: Outsider, keys: list[str]) -> bool:
    """Tell whether both gates publish these keys."""
    return [await published(here), await published(there)] == [keys, keys]


async def _signs(here: Outsider, there: Outsider, key: str) -> bool:
    """Tell whether both gates sign by this key."""
    return {await kid_of(here), await kid_of(there)} == {key}


async def test_token_key_when_it_was_stolen_then_every_token_ends_within_seconds(agency: Agency, replica: Gate) -> None:
    """With --at-once the new key stands alone: tokens of the old one, a thief's among them, are refused at both replicas."""
    async with at_work(agency, [16], reads=100_000) as desk, elsewhere(desk, replica) as there:
        new, _ = rotate.rotate_token(agency.installation, wait=SOON, at_once=True)
        await until(lambda: _publishes(desk.machine, there, [new]))
        stolen = [code_of(await machine.disclose(desk.handles[16], desk.party.agent)) for machine in (desk.machine, there)]
        there.access_token = await desk.machine.get_token()
        again = code_of(await there.disclose(desk.handles[16], desk.party.agent))
    assert stolen == ["invalid-token"] * 2
    assert again == "ok"


async def test_token_key_when_the_file_is_damaged_then_the_gates_keep_what_they_have(agency: Agency, replica: Gate) -> None:
    """A slip of the pen is no outage: it is logged by its code, and the keys known stay in use."""
    path = agency.folder / "keys" / "token.key"
    kept = path.read_text(encoding="utf-8")
    async with at_work(agency, [17], reads=100_000) as desk:
        path.write_text(kept.replace("M", "%", 1), encoding="utf-8")
        try:
            await until(lambda: _has_logged(agency, desk, "keys:token:refused"))
            assert code_of(await desk.disclose(17)) == "ok"
            assert await kid_of(desk.machine)
        finally:
            path.write_text(kept, encoding="utf-8")
    assert kept.split("\n")[1] not in "".join(gate.log.read_text(encoding="utf-8") for gate in agency.gates)


async def _has_logged(agency: Agency, desk: Desk, event: str) -> bool:
    """Tell whether the first gate has logged an event; a call makes it look at its files."""
    await published(desk.machine)
    return event in agency.gates[0].log.read_text(encoding="utf-8")


# ── the fingerprints' key ────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_fingerprint_key_when_a_newer_gate_used_the_next_then_an_older_one_answers_again(agency: Agency) -> None:
    """While gates are restarted one by one, a grant of the new version is answered again by a gate that began with the old."""
    async with at_work(agency, [18, 19]) as desk:
        first = (await desk.disclose(18, key="old")).json()
        version = rotate.rotate_versioned(agency.installation, "fingerprint.key")
        newer = agency.start_gate(ledger__sign=False)
        async with elsewhere(desk, newer) as there:
            second = (await there.disclose(desk.handles[19], desk.party.agent, key="new")).json()
            again = await desk.disclose(19, key="new")
            back = await there.disclose(desk.handles[18], desk.party.agent, key="old")
        agency.stop_gate(newer)
    sealed = {entry["disclosure"]: entry["fingerprints"]["key"] for entry in await agency.openings() if "fingerprints" in entry}
    assert (sealed[first["disclosure"]], sealed[second["disclosure"]]) == (version - 1, version)
    assert [code_of(answer) for answer in (again, back)] == ["ok", "ok"]
    assert [answer.json()["receipt"] for answer in (again, back)] == [second["receipt"], first["receipt"]]


# ── a database role's password ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("role", ["app", "register"])
async def test_password_when_it_changes_under_load_then_new_connections_open_all_along(agency: Agency, role: str) -> None:
    """Before, between and after the two steps each gate's connections are cut: it opens new ones, by the present password or the next."""
    installation = agency.installation
    cut = "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1 and application_name like 'ecluse-%'"
    before = installation.secret(f"db-{role}.password")
    async with at_work(agency, [20], reads=100_000) as desk, agency.administered("ledger") as admin:

        async def serves() -> bool:
            return code_of(await desk.disclose(20)) == "ok"

        assert rotate.prepare_password(installation, role) is True
        assert rotate.prepare_password(installation, role) is False
        await admin.fetch(cut, rotate.ROLES[role])
        await until(serves)
        with install.databases(installation) as reached:
            await rotate.change_password(installation, reached, role)
        await admin.fetch(cut, rotate.ROLES[role])
        await until(serves)
        kept = await admin.fetchval("select rolpassword from pg_authid where rolname = $1", rotate.ROLES[role])
    assert kept.startswith("SCRAM-SHA-256$4096:")
    assert installation.secret(f"db-{role}.password") not in {before, kept}
    assert not (installation.keys / f"db-{role}.next.password").exists()


async def test_password_when_a_crash_lies_between_the_steps_then_repeated_and_done(agency: Agency) -> None:
    """The role has the next password and the file has not: the command finds it so, and finishes."""
    installation = agency.installation
    rotate.prepare_password(installation, "reader")
    following = installation.secret("db-reader.next.password")
    async with agency.administered("ledger") as admin:
        await admin.execute(f"alter role ecluse_reader password '{rotate.scram_verifier(following, bytes(16))}'")
    async with agency.connected("ecluse_reader") as reader:
        assert await reader.fetchval("select current_user") == "ecluse_reader"
    with install.databases(installation) as reached:
        await rotate.change_password(installation, reached, "reader")
    assert installation.secret("db-reader.password") == following
    assert agency.installation.passwords("reader")() == [following]
