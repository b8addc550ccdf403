"""Accounts: officers and agents, their one-time links, passkeys and sign-ins.

Every act is an administrator's, with the passkey, and what lets somebody in is sealed. A link is shown once, on the page that answers its making; afterwards
nobody can read it, this house included.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

from ecluse.contracts.service import add_agent
from ecluse.identity import accounts as people
from ecluse.identity.accounts import InvitationKind, link_of
from ecluse.identity.errors import AccountRefused, ClientUnknown
from ecluse.identity.people import Act, Role, Signed
from ecluse.identity.service import revoke_key
from ecluse.identity.sign_in import IDLE
from ecluse.ids import is_id, is_name
from ecluse.web.console.act import done, known_processor
from ecluse.web.console.names import names_of, say_who
from ecluse.web.console.state import acting, console_of, reading
from ecluse.web.console.work import query
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Room, form, page, see, tongue_of
from ecluse.web.pages.guard import officer
from ecluse.web.pages.model import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecluse.identity.accounts import AgentAccount, Invitation, Officer, Pending
    from ecluse.web.pages.frame import Filled, Tongue

_HERE: Final = "accounts"
_SIGN_INS: Final = 100
_WHY: Final = {
    "the name is empty": N_("Write the name, in at most 120 characters."),
    "no role is given": N_("Choose at least one role."),
    "nobody open": N_(
        "That account is closed, or needs the other kind of link: whoever has a passkey is recovered, whoever has none is invited."
    ),
    "no recovery": N_("No recovery of that account waits."),
    "a recovery is approved": N_("You asked for this recovery, or it is your own: another administrator approves it."),
    "no such passkey": N_("That passkey is not in use any more."),
    "not by an administrator": N_("Only an administrator does this."),
    "the last administrator": N_("The last administrator stays: add another one first."),
    "no such officer": N_("That account is closed already."),
}
"""What `AccountRefused` says, by how it begins."""
Holder = Annotated[str, PathParameter(description="An officer (off_…) or an agent (agt_…).")]


class PendingLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link that was made and not used. ``waits``: a recovery that needs another administrator; ``own``: the one who looks made it."""

    recovery: bool
    made_by: str
    expires_at: datetime
    waits: bool
    own: bool


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """An account. ``roles``: in words; ``closed_at`` None: may sign in; ``pending``: None where no link is open."""

    id: str
    name: str
    roles: tuple[str, ...]
    added_at: datetime
    closed_at: datetime | None
    passkeys: int
    seen_at: datetime | None
    pending: PendingLink | None


class SignInRow(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is signed in now. ``own``: the browser of the one who looks."""

    id: str
    holder: str
    name: str
    started_at: datetime
    seen_at: datetime
    ends_at: datetime
    own: bool


class AccountsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Officers, who is signed in, and the processors whose agents have accounts.

    ``officers``; ``sign_ins``; ``processors``: id and name; ``roles``: value and word of each; ``entered``, ``faults``: of the form for a new officer.
    """

    officers: tuple[AccountRow, ...]
    sign_ins: tuple[SignInRow, ...]
    processors: tuple[tuple[str, str], ...]
    roles: tuple[tuple[str, str], ...]
    entered: dict[str, str]
    faults: dict[str, str]


class AgentsPage(msgspec.Struct, frozen=True, kw_only=True):
    """The agents of one processor. ``processor``, ``name``; ``agents``; ``faults``: of the form for a new one."""

    processor: str
    name: str
    agents: tuple[AccountRow, ...]
    faults: dict[str, str]


class PasskeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey in use. ``name``: as its entries call it."""

    name: str
    label: str
    backed_up: bool
    added_at: datetime
    used_at: datetime | None


class AccountPage(msgspec.Struct, frozen=True, kw_only=True):
    """One account. ``account``; ``agent``: it is an agent's; ``processor``: of an agent; ``passkeys``; ``own``: of the one who looks; ``faults``."""

    account: AccountRow
    agent: bool
    processor: str
    passkeys: tuple[PasskeyRow, ...]
    own: bool
    faults: dict[str, str]


class LinkPage(msgspec.Struct, frozen=True, kw_only=True):
    """A link, shown this once.

    ``name``: for whom; ``link``; ``expires_at``; ``waits``: it opens nothing before another administrator approved it; ``back``: where to go on.
    """

    name: str
    link: str
    expires_at: datetime
    waits: bool
    back: str


class OfficerForm(msgspec.Struct, frozen=True):
    """A new officer."""

    name: Annotated[str, msgspec.Meta(max_length=120)]
    roles: list[Role]


class AgentForm(msgspec.Struct, frozen=True):
    """A new agent, as the processor calls them."""

    label: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]


class PasskeyForm(msgspec.Struct, frozen=True):
    """Which passkey ends."""

    passkey: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class SignInForm(msgspec.Struct, frozen=True):
    """Which sign-in ends."""

    sign_in: Annotated[str, msgspec.Meta(max_length=40)]


class NoForm(msgspec.Struct, frozen=True):
    """A button, and nothing typed."""


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@get("/console/accounts", include_in_schema=False)
async def accounts(request: HttpRequest, gateway: Served) -> Response[str]:
    """List officers, and who is signed in."""
    signed = await officer(request, gateway, Act.ACCOUNTS)
    return await _show(request, gateway, signed, None)


async def _show(request: HttpRequest, gateway: Gateway, signed: Signed, filled: Filled[Any] | None) -> Response[str]:
    tongue = tongue_of(request)
    async with reading(gateway) as connection:
        _, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        officers = await people.officers(connection, closed=True)
        there = await connection.fetch(query("sign_ins"), IDLE, _SIGN_INS)
        labels = {
            row["id"]: row["label"]
            for row in await connection.fetch(query("labels_of"), [row["agent_id"] for row in there if row["agent_id"]], [])
        }
    names = {one.id: one.name for one in officers}
    faults = {} if filled is None else dict(filled.faults)
    context = AccountsPage(
        officers=tuple(officer_row(one, names, signed, tongue) for one in officers), sign_ins=tuple(sign_in_row(row, names | labels, signed) for row in there),
        processors=tuple((one.id, one.name) for one in everybody.processors.values()), roles=tuple((role.value, tongue.find(LABELS[role])) for role in Role),
        entered={} if filled is None else {"name": str(filled.entered.get("name", ""))}, faults=faults,
    )  # fmt: skip
    status = 422 if faults else 200
    return page(
        request, gateway, "console/work_accounts.html", context, signed=signed, room=Room.CONSOLE, here=_HERE, status=status
    )


def officer_row(one: Officer, names: Mapping[str, str], signed: Signed, tongue: Tongue) -> AccountRow:
    """Show an officer's account."""
    return AccountRow(
        id=one.id, name=one.name, roles=tuple(tongue.find(LABELS[role]) for role in one.roles), added_at=one.added_at, closed_at=one.closed_at,
        passkeys=one.passkeys, seen_at=one.seen_at, pending=pending_link(one.pending, names, signed),
    )  # fmt: skip


def agent_row(one: AgentAccount, names: Mapping[str, str], signed: Signed) -> AccountRow:
    """Show an agent's account."""
    return AccountRow(
        id=one.id, name=one.label, roles=(), added_at=one.added_at, closed_at=None, passkeys=one.passkeys, seen_at=one.seen_at,
        pending=pending_link(one.pending, names, signed),
    )  # fmt: skip


def pending_link(pending: Pending | None, names: Mapping[str, str], signed: Signed) -> PendingLink | None:
    """Show a link that was made and not used."""
    if pending is None:
        return None
    recovery = pending.kind is InvitationKind.RECOVER
    return PendingLink(
        recovery=recovery, made_by=say_who(pending.made_by, names), expires_at=pending.expires_at, waits=recovery and not pending.approved,
        own=pending.made_by == signed.person,
    )  # fmt: skip


def sign_in_row(row: Any, names: Mapping[str, str], signed: Signed) -> SignInRow:  # noqa: ANN401 - a record, or a table of a test
    """Show a sign-in."""
    holder = row["officer_id"] or row["agent_id"]
    return SignInRow(
        id=row["id"], holder=holder, name=names.get(holder, holder), started_at=row["started_at"], seen_at=row["seen_at"], ends_at=row["ends_at"],
        own=row["id"] == signed.sign_in,
    )  # fmt: skip


@get("/console/accounts/processors/{processor:str}", include_in_schema=False)
async def agents(
    request: HttpRequest, gateway: Served, processor: Annotated[str, PathParameter(description="The processor's id.")]
) -> Response[str]:
    """List a processor's agents."""
    signed = await officer(request, gateway, Act.ACCOUNTS)
    return await _show_agents(request, gateway, signed, processor, {})


async def _show_agents(
    request: HttpRequest, gateway: Gateway, signed: Signed, processor: str, faults: dict[str, str]
) -> Response[str]:
    if not is_name(processor):
        raise NotFoundException
    there = await known_processor(request, gateway, processor)
    async with reading(gateway) as connection:
        found = await people.agents(connection, processor)
        names = await names_of(connection, [one.pending.made_by for one in found if one.pending is not None])
    context = AgentsPage(
        processor=processor, name=there.name, agents=tuple(agent_row(one, names, signed) for one in found), faults=faults
    )
    status = 422 if faults else 200
    return page(
        request, gateway, "console/work_agents.html", context, signed=signed, room=Room.CONSOLE, here=_HERE, status=status
    )


# ── one account ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
_AGENT: Final = "select a.id, a.label, a.processor_id from ecluse.agent a where a.id = $1"


@get("/console/accounts/{holder:str}", include_in_schema=False)
async def account(request: HttpRequest, gateway: Served, holder: Holder) -> Response[str]:
    """Show one account, with its passkeys."""
    signed = await officer(request, gateway, Act.ACCOUNTS)
    return await _show_one(request, gateway, signed, holder, {})


async def _show_one(request: HttpRequest, gateway: Gateway, signed: Signed, holder: str, faults: dict[str, str]) -> Response[str]:
    tongue, processor = tongue_of(request), ""
    async with reading(gateway) as connection:
        officers = await people.officers(connection, closed=True)
        names = {one.id: one.name for one in officers}
        row = next((officer_row(one, names, signed, tongue) for one in officers if one.id == holder), None)
        if row is None and is_id(holder, "agt"):
            known = await connection.fetchrow(_AGENT, holder)
            processor = known["processor_id"] if known is not None else ""
            row = next(
                (agent_row(one, names, signed) for one in await people.agents(connection, processor) if one.id == holder), None
            )
        if row is None:
            raise NotFoundException
        keys = await people.passkeys(connection, holder)
    context = AccountPage(
        account=row, agent=is_id(holder, "agt"), processor=processor, own=holder == signed.person, faults=faults,
        passkeys=tuple(
            PasskeyRow(name=one.name, label=one.label, backed_up=one.backed_up, added_at=one.added_at, used_at=one.used_at) for one in keys
        ),
    )  # fmt: skip
    status = 422 if faults else 200
    return page(
        request, gateway, "console/work_account.html", context, signed=signed, room=Room.CONSOLE, here=_HERE, status=status
    )


# ── acts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def _act(request: HttpRequest, gateway: Gateway, back: str = "/console/accounts") -> Signed:
    return await officer(request, gateway, Act.ACCOUNTS, stepped_up=True, back=back)


def say_refusal(refused: AccountRefused) -> str:
    """Return the sentence for a refusal, as a source text."""
    why = str(refused)
    return next((said for begins, said in _WHY.items() if begins in why), N_("The rules of accounts do not allow it."))


def _link(request: HttpRequest, gateway: Gateway, signed: Signed, name: str, made: Invitation, back: str) -> Response[str]:
    """Show a link, once."""
    context = LinkPage(
        name=name, link=link_of(gateway.site.origin, made.secret), expires_at=made.expires_at, waits=made.waits, back=back
    )
    return page(request, gateway, "console/work_link.html", context, signed=signed, room=Room.CONSOLE, here=_HERE)


@post("/console/accounts", include_in_schema=False)
async def add(request: HttpRequest, gateway: Served) -> Response[str]:
    """Add an officer, and make their link."""
    signed = await _act(request, gateway)
    filled = await form(request, OfficerForm)
    if filled.value is None:
        return await _show(request, gateway, signed, filled)
    try:
        async with acting(gateway) as connection:
            holder, _ = await people.add_officer(
                connection, log_id=gateway.log_id, name=filled.value.name, roles=filled.value.roles, actor=signed.person
            )
            made = await people.invite(connection, log_id=gateway.log_id, holder=holder, actor=signed.person)
    except AccountRefused as refused:
        filled.fault("roles" if "role" in str(refused) else "name", say_refusal(refused))
        return await _show(request, gateway, signed, filled)
    return _link(request, gateway, signed, filled.value.name, made, "/console/accounts")


@post("/console/accounts/processors/{processor:str}", include_in_schema=False)
async def add_one_agent(
    request: HttpRequest, gateway: Served, processor: Annotated[str, PathParameter(description="The processor's id.")]
) -> Response[str]:
    """Register an agent of a processor, and make their link to the desk."""
    signed = await _act(request, gateway)
    filled = await form(request, AgentForm)
    if filled.value is None:
        return await _show_agents(request, gateway, signed, processor, filled.faults)
    there = await known_processor(request, gateway, processor)
    try:
        async with acting(gateway) as connection:
            holder, _ = await add_agent(
                connection, log_id=gateway.log_id, processor=there.id, label=filled.value.label, actor=signed.person
            )
            made = await people.invite(connection, log_id=gateway.log_id, holder=holder, actor=signed.person)
    except AccountRefused as refused:
        filled.fault("label", say_refusal(refused))
        return await _show_agents(request, gateway, signed, processor, filled.faults)
    return _link(request, gateway, signed, filled.value.label, made, f"/console/accounts/processors/{there.id}")


@post("/console/accounts/{holder:str}/invite", include_in_schema=False)
async def invite(request: HttpRequest, gateway: Served, holder: Holder) -> Response[str]:
    """Make a link: for a first passkey, or (with another administrator) for a new one in the place of those that are lost."""
    signed = await _act(request, gateway)
    filled = await form(request, NoForm)
    try:
        async with acting(gateway) as connection:
            has = bool(await people.passkeys(connection, holder))
            kind = InvitationKind.RECOVER if has else InvitationKind.ENROL
            made = await people.invite(connection, log_id=gateway.log_id, holder=holder, actor=signed.person, kind=kind)
            known = await connection.fetchrow(_AGENT, holder)
            names = await names_of(connection, [holder])
    except AccountRefused as refused:
        filled.fault("account", say_refusal(refused))
        return await _show_one(request, gateway, signed, holder, filled.faults)
    name = known["label"] if known is not None else names.get(holder, holder)
    return _link(request, gateway, signed, name, made, f"/console/accounts/{holder}")


@post("/console/accounts/{holder:str}/approve", include_in_schema=False)
async def approve(request: HttpRequest, gateway: Served, holder: Holder) -> Response[str]:
    """Say the second word for a recovery."""
    signed = await _act(request, gateway)
    filled = await form(request, NoForm)
    try:
        async with acting(gateway) as connection:
            await people.approve_recovery(connection, holder=holder, actor=signed.person)
    except AccountRefused as refused:
        filled.fault("account", say_refusal(refused))
        return await _show_one(request, gateway, signed, holder, filled.faults)
    return see(f"/console/accounts/{holder}", "recovery-approved")


@post("/console/accounts/{holder:str}/close", include_in_schema=False)
async def close(request: HttpRequest, gateway: Served, holder: Holder) -> Response[str]:
    """Close an officer's account, and sign them out."""
    signed = await _act(request, gateway)
    filled = await form(request, NoForm)
    if not is_id(holder, "off"):
        raise NotFoundException
    try:
        async with acting(gateway) as connection:
            sealed = await people.close_officer(connection, log_id=gateway.log_id, officer=holder, actor=signed.person)
    except AccountRefused as refused:
        filled.fault("account", say_refusal(refused))
        return await _show_one(request, gateway, signed, holder, filled.faults)
    return done("/console/accounts", "officer-closed", sealed.index)


@post("/console/accounts/{holder:str}/revoke", include_in_schema=False)
async def revoke(request: HttpRequest, gateway: Served, holder: Holder) -> Response[str]:
    """Revoke a passkey: whoever is signed in by it is signed out."""
    signed = await _act(request, gateway)
    filled = await form(request, PasskeyForm)
    if filled.value is None:
        return await _show_one(request, gateway, signed, holder, filled.faults)
    try:
        async with acting(gateway) as connection:
            await people.revoke_passkey(
                connection, log_id=gateway.log_id, holder=holder, passkey=filled.value.passkey, actor=signed.person
            )
    except AccountRefused as refused:
        filled.fault("account", say_refusal(refused))
        return await _show_one(request, gateway, signed, holder, filled.faults)
    return see(f"/console/accounts/{holder}", "passkey-revoked")


_END: Final = """
update ecluse.sign_in s set ended_at = ecluse.clock() where s.id = $1 and s.ended_at is null returning s.client_id, s.thumbprint
"""


@post("/console/accounts/sign-ins/end", include_in_schema=False)
async def end_sign_in(request: HttpRequest, gateway: Served) -> Response[str]:
    """End somebody's sign-in now, and the desk key that was made for it."""
    signed = await _act(request, gateway)
    filled = await form(request, SignInForm)
    if filled.value is None or not is_id(filled.value.sign_in, "sgn"):
        raise NotFoundException
    async with acting(gateway) as connection:
        row = await connection.fetchrow(_END, filled.value.sign_in)
        if row is None:
            raise NotFoundException
        if row["thumbprint"] is not None:
            with suppress(ClientUnknown):  # revoked meanwhile
                await revoke_key(
                    connection, log_id=gateway.log_id, client=row["client_id"], thumbprint=row["thumbprint"], actor=signed.person
                )
    return see("/console/accounts", "sign-in-ended")


HANDLERS: Final[tuple[Any, ...]] = (accounts, agents, account, add, add_one_agent, invite, approve, close, revoke, end_sign_in)
