"""Each operation is driven into its refusals: every answer is declared in the OpenAPI document, and every declared one is met."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from ecluse.web.problems import PROBLEMS
from tests.agency import Agency, Machine
from tests.e2e.desk import Desk, at_work
from tests.e2e.outsider import Outsider, misfits
from tests.invented import ABSENT, contract_text
from tests.web.openapi_changes import operations, resolve
from tests.web.test_openapi import published

pytestmark = pytest.mark.web

ROLL: Final = {"family_name": "full"}
OUTCOME: Final = ("POST", "/v1/appointments/{appointment}/outcome")
OUTCOMES: Final = ("GET", "/v1/outcomes")
OUTCOME_CODES: Final = (
    "not-found", "outside-outcome-window", "suspended", "purpose-not-contracted", "unknown-agent", "key-reused", "too-large", "clock-untrusted", "busy",
)  # fmt: skip
USAGE_CODES: Final = ("suspended", "too-large", "too-many-requests", "clock-untrusted", "busy")
DISCLOSE, SHEET = ("POST", "/v1/disclosures"), ("POST", "/v1/sessions/{session}/sheet")
SCHEDULE, TOKEN = ("POST", "/v1/schedule"), ("POST", "/oauth/token")
PROOF, SESSION = ("GET", "/v1/disclosures/{disclosure}/proof"), ("GET", "/v1/sessions/{session}")
REQUESTS: Final = ("GET", "/v1/schedule/requests")
USAGE: Final = ("POST", "/v1/usage")
USAGE_LINK: Final = ("POST", "/v1/usage/links")
EVIDENCE: Final = ("POST", "/v1/evidence")
EVIDENCE_CODES: Final = ("suspended", "too-large", "too-many-requests", "evidence-refused", "busy")
ENTRIES: Final = ("GET", "/ledger/{log}/tile/entries/{path}")
APPROVAL: Final = ("POST", "/v1/schedule/requests/{request_id}/approval")
WALK_IN, SUBSTITUTION = ("POST", "/v1/schedule/walk-ins"), ("POST", "/v1/schedule/substitutions")
CHECKPOINT: Final = ("GET", "/ledger/{log}/checkpoint")
UNMET: Final = {
    (*DISCLOSE, "too-many-refusals"),  # more refusals a minute than all of these
    (*SHEET, "too-many-refusals"),
    (*SCHEDULE, "too-large"),  # a file of 64 MiB
    *(
        (*operation, "busy") for operation in (SCHEDULE, APPROVAL, WALK_IN, SUBSTITUTION)
    ),  # five tries that are overtaken each time
    *((*OUTCOME, code) for code in OUTCOME_CODES),  # driven in tests/outcomes/test_record.py
    (*OUTCOMES, "suspended"),  # likewise
    *((*USAGE, code) for code in USAGE_CODES),  # driven in tests/usage/test_record.py
    *(
        (*USAGE_LINK, code) for code in ("suspended", "too-large", "too-many-requests")
    ),  # driven in tests/web/my_data/test_my_data.py
    *((*EVIDENCE, code) for code in EVIDENCE_CODES),  # driven in tests/web/test_evidence_api.py
    *((*ENTRIES, code) for code in ("suspended", "not-found")),  # driven in tests/usage/test_entries.py
    (*PROOF, "not-published"),  # within the second before the next checkpoint
    (*CHECKPOINT, "not-published"),  # within the first second of a log
}
"""What is declared and not driven here, and why; `internal` would be a mistake of ours. Each may be met by chance."""


@dataclass
class Drive:
    """A walk through the interface. ``met``: the codes of each operation, checked against the document as they come."""

    agency: Agency
    document: Mapping[str, Any]
    met: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    def see(self, operation: tuple[str, str], answer: httpx.Response, code: str | None = None) -> None:
        """Check that an answer is declared: status, media type, header fields, code and members; and that it is the ``code`` expected."""
        declared = resolve(self.document, operations(self.document)[operation]["responses"][str(answer.status_code)])
        if answer.status_code == 304:
            return
        media = declared["content"][answer.headers["content-type"].partition(";")[0]]
        for name, header in declared.get("headers", {}).items():
            assert not resolve(self.document, header).get("required") or name in answer.headers, name
        if answer.status_code == 200:
            assert "json" not in next(iter(declared["content"])) or misfits(self.document, media["schema"], answer.json()) == []
            return
        found = answer.json().get("type", answer.json().get("error")).removeprefix("/problems/")
        assert code is None or found == code, answer.text
        schema = media["schema"]
        if found in PROBLEMS:
            one = {"$ref": "#/components/schemas/Problem" + found.title().replace("-", "")}
            assert one in schema.get("oneOf", [schema]), f"{operation}: {found} is not declared"
            assert ("retry-after" in answer.headers) == PROBLEMS[found].retry
            schema = one
        assert misfits(self.document, schema, answer.json()) == []
        self.met[operation].add(found)

    def path(self, operation: tuple[str, str], session: str) -> str:
        """Fill an operation's path."""
        known = {
            "{session}": session,
            "{disclosure}": "dsc_" + "a" * 26,
            "{log}": "main",
            "{path}": "000.p/1" if operation == ENTRIES else "0/000.p/1",
            "{code}": "busy",
            "{request_id}": "imp_" + "a" * 26,
        }
        path = operation[1]
        for name, value in known.items():
            path = path.replace(name, value)
        return path

    def body(self, operation: tuple[str, str], desk: Desk) -> object:
        """Return a good body of an operation, or None."""
        person = next(iter(desk.handles.values()))
        asked = {"appointment": person, "agent": desk.party.agent, "attributes": ["family_name"]}
        session = {"source": f"plan-{desk.party.name}", "session_ref": desk.meeting.ref}
        walk_in = {**session, "place_ref": "W1", "subject_ref": "ofii:59"}
        bodies = {DISCLOSE: asked, SHEET: {"agent": desk.party.agent}, SCHEDULE: {"rows": []}}
        outcome = {"attendance": "present"}
        usage = {"subject": {"register": "ofii", "key": ["60"]}, "language": "en"}
        link = {"subject": usage["subject"]}
        bodies |= {OUTCOME: outcome, USAGE: usage, USAGE_LINK: link}
        return {**bodies, WALK_IN: walk_in, SUBSTITUTION: {**session, "agents": []}}.get(operation)


async def session_of(desk: Desk) -> str:
    """Return the id of the desk's session."""
    found: str = (await desk.machine.call("GET", "/v1/sessions")).json()["sessions"][0]["id"]
    return found


def caller_of(declared: Mapping[str, Any], desk: Desk, others: Mapping[str, Outsider]) -> Outsider:
    """Return whose operation it is, by the scope of its token; ``others``: those beside the desk's machine, by scope."""
    scopes = [scope for each in declared["security"] for scope in each["dpop"]]
    return others.get(scopes[0], desk.machine) if scopes else desk.machine


async def authenticate_wrongly(drive: Drive, desk: Desk, others: Mapping[str, Outsider]) -> None:
    """Call each operation that takes a token without one, without a proof, with a field twice, and as another role."""
    session = await session_of(desk)
    for operation, declared in operations(drive.document).items():
        if not declared["security"]:
            continue
        method, path, body = operation[0], drive.path(operation, session), drive.body(operation, desk)
        right = caller_of(declared, desk, others)
        wrong = others["schedule"] if right is desk.machine else desk.machine
        token = {"authorization": f"DPoP {right.access_token}"}
        twice = [*token.items(), *token.items()]
        drive.see(operation, await right.http.request(method, path, json=body), "invalid-token")
        drive.see(operation, await right.http.request(method, path, json=body, headers=token), "invalid-proof")
        drive.see(operation, await right.http.request(method, path, json=body, headers=twice), "invalid-request")
        drive.see(operation, await wrong.call(method, path, body=body), "wrong-role")


Ask = Callable[..., Awaitable[httpx.Response]]


def asks(desk: Desk, session: str, machine: Outsider | None = None) -> dict[tuple[str, str], Ask]:
    """Return the two ways to a disclosure: one person's, and the session's sheet."""
    caller = machine or desk.machine

    async def person(
        agent: str = desk.party.agent, *, key: str | None = None, names: object = ("family_name",)
    ) -> httpx.Response:
        handle = next(iter(desk.handles.values()))
        return await caller.disclose(handle, agent, names, key=key)  # type: ignore[arg-type] # wrong ones too

    async def sheet(agent: str = desk.party.agent, *, key: str | None = None, **_: object) -> httpx.Response:
        fields = {"idempotency-key": key} if key else None
        return await caller.call("POST", f"/v1/sessions/{session}/sheet", body={"agent": agent}, headers=fields)

    return {DISCLOSE: person, SHEET: sheet}


async def expect(drive: Drive, desk: Desk, session: str, code: str, **how: Any) -> None:
    """Ask both ways, and be told the same code."""
    for operation, ask in asks(desk, session).items():
        drive.see(operation, await ask(**how), code)


async def be_refused(drive: Drive) -> None:
    """Meet the refusals that lie with parties, contract and person."""
    agency = drive.agency
    async with at_work(agency, [50], sheet=ROLL, reads=20) as desk:
        session = await session_of(desk)
        await expect(drive, desk, session, "unknown-agent", agent="agt_" + "a" * 26)
        await expect(drive, desk, session, "invalid-request", agent="nobody")
        await expect(drive, desk, session, "too-large", agent="x" * 70_000)
        for scope, target, effect, code in (
            ("client", desk.machine.client, "suspend", "suspended"),
            ("contract", desk.party.name, "freeze", "gate-frozen"),
            ("person", "ofii:50", "suspend", "not-disclosable"),
        ):
            hold, _ = await agency.hold(scope, target, effect)
            await expect(drive, desk, session, code)
            await agency.release(hold)
        drive.see(DISCLOSE, await asks(desk, session)[DISCLOSE](names=["never_heard"]), "attribute-not-contracted")
        await agency.apply(contract_text(desk.party.name))
        drive.see(SHEET, await asks(desk, session)[SHEET](), "attribute-not-contracted")
        await agency.apply(contract_text(desk.party.name, purpose="other-purpose"))
        await expect(drive, desk, session, "purpose-not-contracted")
        drive.see(SESSION, await desk.machine.call("GET", f"/v1/sessions/{session}"), "purpose-not-contracted")
        drive.see(SHEET, await asks(desk, "ses_" + "a" * 26)[SHEET](), "not-found")
        drive.see(SESSION, await desk.machine.call("GET", "/v1/sessions/nothing"), "not-found")
        drive.see(PROOF, await desk.machine.call("GET", drive.path(PROOF, session)), "not-found")


async def come_at_the_wrong_time(drive: Drive) -> None:
    """Meet the refusals of window, assurance, register and budget."""
    agency = drive.agency
    async with at_work(agency, [51], sheet=ROLL, opens_before="PT1H", begins_in=timedelta(hours=3)) as desk:
        await expect(drive, desk, await session_of(desk), "outside-window")
    async with at_work(agency, [52], sheet=ROLL, assurance="authenticated") as desk:
        await expect(drive, desk, await session_of(desk), "step-up-required")
    async with at_work(agency, [ABSENT], sheet=ROLL) as desk:
        await expect(drive, desk, await session_of(desk), "undetermined")
    async with at_work(agency, [53], sheet=ROLL, reads=1) as desk:
        assert (await desk.disclose(53)).status_code == 200
        await expect(drive, desk, await session_of(desk), "budget-spent")


async def ask_again(drive: Drive) -> None:
    """Meet the refusals of a retry: another body, and another value."""
    async with at_work(drive.agency, [54], sheet=ROLL, agents=2, reads=20) as desk:
        session = await session_of(desk)
        for ask in asks(desk, session).values():
            assert (await ask(key="again")).status_code == 200
        await expect(drive, desk, session, "key-reused", key="again", agent=desk.party.agents[1])
        await drive.agency.change_register("update registre.personne set nom = nom || 'x' where numero = 54")
        await expect(drive, desk, session, "value-changed", key="again")


def schedule_of(desk: Desk) -> dict[str, object]:
    """Write a schedule with one more session of the desk's processor."""
    begin, end = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (desk.meeting.starts_at, desk.meeting.ends_at))
    row = {
        "source": "sent", "session_ref": desk.party.name, "place_ref": "1", "subject_ref": "ofii:57", "purpose": desk.meeting.purpose,
        "processor": desk.party.name, "site": "large", "room": "sent", "starts_at": begin, "ends_at": end, "agents": [desk.party.agent],
        "status": "planned",
    }  # fmt: skip
    return {"rows": [row]}


async def press(drive: Drive, office: Outsider) -> None:
    """Meet a full queue, a clock that went back, and a register that is gone."""
    agency = drive.agency
    narrow = agency.start_gate(door__queue=1, door__batch=1, door__flights=1)
    try:
        async with (
            at_work(agency, [55], sheet=ROLL, reads=1000) as desk,
            Outsider(agency.public_url, desk.machine.client, desk.machine.key, via=narrow.url) as machine,
        ):
            session = await session_of(desk)
            for operation, ask in asks(desk, session, machine).items():
                for answer in await asyncio.gather(*(ask() for _ in range(30))):
                    drive.see(operation, answer)
            try:
                await agency.set_clock_offset(agency.offset - timedelta(minutes=1))
                await expect(drive, desk, session, "clock-untrusted")
                drive.see(SCHEDULE, await office.call(*SCHEDULE, body=schedule_of(desk)), "clock-untrusted")
            finally:
                await agency.reset_clock()
            sent = await office.call(*SCHEDULE, body=schedule_of(desk))
            assert sent.status_code == 200, sent.text
            drive.see(SCHEDULE, sent)
            async with agency.without("register"):
                await expect(drive, desk, session, "register-unavailable")
    finally:
        agency.stop_gate(narrow)


async def send_schedules(drive: Drive, office: Outsider) -> None:
    """Meet the refusals of a schedule."""
    drive.see(SCHEDULE, await office.call(*SCHEDULE, body={}, headers={"content-type": "text/plain"}), "invalid-request")
    drive.see(SCHEDULE, await office.call(*SCHEDULE, body={"rows": []}), "schedule-refused")
    hold, _ = await drive.agency.hold("client", office.client)
    drive.see(SCHEDULE, await office.call(*SCHEDULE, body={"rows": []}), "suspended")
    await drive.agency.release(hold)


async def change_by_hand(drive: Drive, office: Outsider) -> None:
    """Meet the refusals of walk-ins, substitutions and approvals."""
    agency, second = drive.agency, await drive.agency.machine(None)
    async with at_work(agency, [58], per_day=1) as desk, Outsider(agency.public_url, second.id, second.key) as other:
        walk_in: Any = drive.body(WALK_IN, desk)
        agents: Any = drive.body(SUBSTITUTION, desk)
        held = await office.call(*WALK_IN, body=walk_in)
        drive.see(WALK_IN, held)
        approval = APPROVAL[0], APPROVAL[1].replace("{request_id}", held.json()["request"])
        drive.see(REQUESTS, await other.call(*REQUESTS))
        calls = {WALK_IN: walk_in, SUBSTITUTION: agents, APPROVAL: None, REQUESTS: None}
        for name in (WALK_IN, SUBSTITUTION):
            drive.see(name, await office.call(*name, body=calls[name] | {"session_ref": "x" * 70_000}), "too-large")
            drive.see(name, await office.call(*name, body=calls[name] | {"session_ref": "nowhere"}), "not-found")
        drive.see(APPROVAL, await other.call(APPROVAL[0], drive.path(APPROVAL, "")), "not-found")
        drive.see(WALK_IN, await office.call(*WALK_IN, body=walk_in | {"subject_ref": "=1"}), "schedule-refused")
        drive.see(
            SUBSTITUTION, await office.call(*SUBSTITUTION, body=agents | {"agents": ["agt_" + "a" * 26]}), "schedule-refused"
        )
        try:
            await agency.set_clock_offset(agency.offset - timedelta(minutes=1))
            drive.see(SUBSTITUTION, await office.call(*SUBSTITUTION, body=agents), "clock-untrusted")
            drive.see(APPROVAL, await other.call(*approval), "clock-untrusted")
            stays = {"place_ref": "P58", "subject_ref": "ofii:58"}
            drive.see(WALK_IN, await office.call(*WALK_IN, body=walk_in | stays), "clock-untrusted")
        finally:
            await agency.reset_clock()
        hold, _ = await agency.hold("client", second.id)
        for name, body in calls.items():
            path = approval[1] if name == APPROVAL else name[1]
            drive.see(name, await other.call(name[0], path, body=body), "suspended")
        await agency.release(hold)
        assert (await office.call(*SUBSTITUTION, body=agents)).status_code == 200
        drive.see(APPROVAL, await other.call(*approval), "schedule-refused")


async def stand_outside(drive: Drive, machine: Outsider) -> None:
    """Meet what a stranger meets: the token endpoint, tiles and pages."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    drive.see(TOKEN, await machine.http.post("/oauth/token", data={"grant_type": "password"}), "invalid_request")
    drive.see(TOKEN, await machine.ask_token(assertion="x.y.z"), "invalid_client")
    drive.see(TOKEN, await machine.ask_token(proof="x.y.z"), "invalid_dpop_proof")
    drive.see(TOKEN, await machine.http.post("/oauth/token", content=b"x=" + b"y" * 70_000, headers=form), "too-large")
    drive.see(("GET", "/ledger/{log}/tile/{path}"), await machine.http.get("/ledger/main/tile/9/999"), "not-found")
    drive.see(CHECKPOINT, await machine.http.get("/ledger/other/checkpoint"), "not-found")
    drive.see(("GET", "/problems/{code}"), await machine.http.get("/problems/nothing"), "not-found")


@asynccontextmanager
async def without_connections(agency: Agency) -> AsyncIterator[None]:
    """Let the ledger's database take no more connections, and end those there are."""
    async with agency.administered("postgres") as keeper:
        await keeper.execute(f"alter database {agency.ledger_name} connection limit 0")
        await keeper.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", agency.ledger_name)
        try:
            yield
        finally:
            await keeper.execute(f"alter database {agency.ledger_name} connection limit -1")


async def lose_the_ledger(drive: Drive, desk: Desk, others: Mapping[str, Outsider]) -> None:
    """Call everything while the ledger's database is gone: what needs none of it is answered, the rest says so."""
    session = await session_of(desk)
    async with without_connections(drive.agency):
        for operation, declared in operations(drive.document).items():
            path, body = drive.path(operation, session), drive.body(operation, desk)
            caller = caller_of(declared, desk, others)
            if operation == TOKEN:
                form = {"grant_type": "client_credentials", "client_assertion": caller.assertion(caller.public_url + TOKEN[1])}
                form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
                answer = await caller.http.post(TOKEN[1], data=form, headers={"dpop": caller.proof(*TOKEN)})
            else:
                answer = await caller.call(operation[0], path, body=body)
            drive.see(operation, answer, "ledger-unavailable" if "503" in declared["responses"] else None)


def declared_codes(document: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """Return method, path and code of every problem and OAuth error that the document declares, but `internal`."""
    names = {"Problem" + code.title().replace("-", ""): code for code in PROBLEMS if code != "internal"}
    found = set()
    for (method, path), operation in operations(document).items():
        for answer in operation["responses"].values():
            for media in resolve(document, answer).get("content", {}).values():
                alternatives = media["schema"].get("oneOf", [media["schema"]])
                kinds = {each.get("$ref", "").rpartition("/")[2] for each in alternatives}
                codes = {names[kind] for kind in kinds if kind in names}
                if "OAuthError" in kinds:
                    codes |= set(document["components"]["schemas"]["OAuthError"]["properties"]["error"]["enum"])
                found |= {(method, path, code) for code in codes}
    return found


async def test_refusals_when_every_operation_is_driven_into_them_then_declared_and_none_else(agency: Agency) -> None:
    """What an operation is declared to refuse is what it refuses: each answer fits the document, and each declared code is met."""
    drive = Drive(agency=agency, document=published())
    scheduler: Machine = await agency.machine(None)
    machines = {"usage": await agency.machine(None, "portal"), "audit": await agency.machine(None, "auditor")}
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(at_work(agency, [56], sheet=ROLL))
        office = await stack.enter_async_context(Outsider(agency.public_url, scheduler.id, scheduler.key))
        others = {"schedule": office}
        for scope, machine in machines.items():
            others[scope] = await stack.enter_async_context(Outsider(agency.public_url, machine.id, machine.key))
        await authenticate_wrongly(drive, desk, others)
        await be_refused(drive)
        await come_at_the_wrong_time(drive)
        await ask_again(drive)
        await send_schedules(drive, office)
        await change_by_hand(drive, office)
        await stand_outside(drive, desk.machine)
        await press(drive, office)
        await lose_the_ledger(drive, desk, others)
    met = {(*operation, code) for operation, codes in drive.met.items() for code in codes}
    assert declared_codes(drive.document) - UNMET == met - UNMET
