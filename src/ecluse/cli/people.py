"""``ecluse people``: who may sign in at the pages. The first administrator is made here; from then on the console does the same, in their names."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from ecluse.cli.options import Dir, Json, Yes, flag
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from datetime import tzinfo

    from ecluse.db import Connection
    from ecluse.identity.accounts import AgentAccount, Invitation, Officer, Pending
    from ecluse.settings import Installation

app = typer.Typer(
    no_args_is_help=True,
    help="People who sign in: officers of the controller, agents of processors, their one-time links and passkeys. See docs/sign-in.md.",
)
READER = "ecluse_reader"


class OfficerRole(StrEnum):
    """What an officer is there for."""

    ADMINISTRATOR = "administrator"
    DPO = "dpo"
    SECURITY = "security"
    CASE_WORKER = "case-worker"
    READER = "reader"


Who: TypeAlias = Annotated[str, typer.Argument(metavar="PERSON", help="An officer (off_…) or an agent (agt_…).")]


@app.command("add")
def add_person(
    name: Annotated[str, typer.Argument(help="The officer's name, as colleagues know it.")],
    *,
    role: Annotated[
        list[OfficerRole],
        typer.Option(help="What they are there for; may stand several times. Who may what: docs/sign-in.md."),
    ],
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Add an officer of the controller and print the one-time link by which they make their passkey. It is shown once."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.identity import accounts
    from ecluse.identity.people import Role
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)

    async def work(connection: Connection) -> tuple[str, Invitation]:
        roles = [Role(each.value) for each in role]
        officer, _ = await accounts.add_officer(connection, log_id=LOG_ID, name=name, roles=roles, actor=actor())
        return officer, await accounts.invite(connection, log_id=LOG_ID, holder=officer, actor=actor())

    officer, link = on_log(installation, work)
    screen.say(f"{officer} is added: {', '.join(sorted({each.value for each in role}))}.", style="green")
    _hand_over(screen, installation, link)


@app.command()
def invite(
    person: Who,
    *,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Make a one-time link for an officer or an agent who has no passkey yet. An earlier link of theirs is void."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.identity import accounts
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)
    link = on_log(installation, lambda connection: accounts.invite(connection, log_id=LOG_ID, holder=person, actor=actor()))
    _hand_over(screen, installation, link)


@app.command()
def recover(
    person: Who,
    *,
    approve: Annotated[bool, flag("--approve", help="Say the second word for a recovery that another person asked for.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Ask for a recovery of somebody who lost every passkey, or approve it (--approve): it takes two different persons, and ends what was lost."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.identity import accounts
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)
    if approve:
        on_log(installation, lambda connection: accounts.approve_recovery(connection, holder=person, actor=actor()))
        screen.say("Approved: the link that was made for them is good now.", style="green")
        screen.answer({"person": person, "approved": True})
        return
    kind = accounts.InvitationKind.RECOVER
    link = on_log(
        installation, lambda connection: accounts.invite(connection, log_id=LOG_ID, holder=person, actor=actor(), kind=kind)
    )
    _hand_over(screen, installation, link)


@app.command("close")
def close_account(
    officer: Annotated[str, typer.Argument(help="The officer: off_….")],
    *,
    yes: Yes = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Close an officer's account, for good: they are signed out at once. The last administrator can't be closed."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.identity import accounts
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)
    if not screen.confirm(f"Close {officer}, for good?", yes=yes):
        raise typer.Exit(1)
    sealed = on_log(
        installation, lambda connection: accounts.close_officer(connection, log_id=LOG_ID, officer=officer, actor=actor())
    )
    screen.say(f"{officer} is closed (entry {sealed.index}).", style="green")
    screen.answer({"officer": officer, "index": sealed.index})


@app.command()
def revoke(
    person: Who,
    passkey: Annotated[
        str, typer.Argument(help="The passkey, as `ecluse people list` shows it, or its first signs if no other has them.")
    ],
    *,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Revoke one passkey: whoever is signed in with it is signed out at once."""
    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.identity import accounts
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)

    async def work(connection: Connection) -> str:
        found = [each.name for each in await accounts.passkeys(connection, person) if each.name.startswith(passkey)]
        if len(found) != 1:
            raise Refusal("PASSKEY", f"{counted(len(found), 'passkey')} of theirs begin so", "`ecluse people list` shows them")
        await accounts.revoke_passkey(connection, log_id=LOG_ID, holder=person, passkey=found[0], actor=actor())
        return found[0]

    name = on_log(installation, work)
    screen.say(f"Passkey {name[:12]}… of {person} is revoked.", style="green")
    screen.answer({"person": person, "passkey": name})


@app.command("list")
def list_people(
    processor: Annotated[
        str | None, typer.Argument(help="A processor, for its agents; left out: the controller's officers.", show_default=False)
    ] = None,
    *,
    closed: Annotated[bool, flag("--closed", help="Officers whose account is closed, too.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """List who may sign in, with their passkeys, when they were there last and which link waits."""
    from ecluse.cli.reach import load, on_log
    from ecluse.identity import accounts

    screen, installation = Screen(as_json=as_json), load(folder)

    async def work(connection: Connection) -> list[dict[str, Any]]:
        people: list[Officer] | list[AgentAccount] = (
            await accounts.officers(connection, closed=closed)
            if processor is None
            else await accounts.agents(connection, processor)
        )
        return [_row(each, await accounts.passkeys(connection, each.id)) for each in people]

    found = on_log(installation, work, READER)
    zone = installation.settings.zone
    screen.table(
        ("id", "name", "roles" if processor is None else "processor", "passkeys", "last there", "link"),
        [
            (
                each["id"], each["name"], " ".join(each["roles"]) if processor is None else processor,
                " ".join(one["name"][:12] for one in each["passkeys"]) or ("closed" if each["closed_at"] else "none"),
                local_time(each["seen_at"], zone) if each["seen_at"] else "", _waits(each["pending"], zone),
            )
            for each in found
        ],
        empty="Nobody may sign in yet: `ecluse people add NAME --role administrator` begins.",
    )  # fmt: skip
    screen.answer({"people": found})


def _row(person: Officer | AgentAccount, keys: list[Any]) -> dict[str, Any]:
    """Write one person for a program."""
    return {
        "id": person.id,
        "name": person.name if hasattr(person, "name") else person.label,
        "roles": [each.value for each in person.roles] if hasattr(person, "roles") else [],
        "closed_at": person.closed_at if hasattr(person, "closed_at") else None,
        "seen_at": person.seen_at,
        "passkeys": [{"name": key.name, "label": key.label, "added_at": key.added_at, "used_at": key.used_at} for key in keys],
        "pending": person.pending,
    }


def _waits(pending: Pending | None, zone: tzinfo) -> str:
    """Say what somebody waits for, if anything."""
    if pending is None:
        return ""
    what = "recovery" if pending.kind.value == "recover" else "first passkey"
    waits = ", waits for its second person" if pending.kind.value == "recover" and not pending.approved else ""
    return f"{what} until {local_time(pending.expires_at, zone)}{waits}"


def _hand_over(screen: Screen, installation: Installation, link: Invitation) -> None:
    """Show a link, once."""
    from ecluse.identity.accounts import link_of

    text = link_of(installation.settings.pages, link.secret)
    screen.say()
    screen.say(text, style="bold")
    screen.say()
    screen.say(
        f"For {link.holder} alone, once, until {local_time(link.expires_at, installation.settings.zone)}. It is kept nowhere."
    )
    if link.waits:
        screen.say(
            "It opens nothing before another person has approved it: `ecluse people recover … --approve`, or the console.",
            style="yellow",
        )
    screen.answer({"person": link.holder, "link": text, "expires_at": link.expires_at, "waits": link.waits})
