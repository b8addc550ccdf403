"""``ecluse doctor --regulator``: what regulators ask, rule by rule, and what this installation does about it: evidence for an examination, never its verdict.

The rules in words are ``regulator.toml``; what is found for each is computed by `ecluse.cli.regulator_checks`. Looking changes nothing.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from ecluse.cli.regulator_checks import CHECKS, Seen, Stand
from ecluse.cli.screen import STYLES, Screen
from ecluse.toml_lines import load_toml

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ecluse.db import Connection
    from ecluse.papers.model import Facts
    from ecluse.settings import Installation

_FILE: Final = Path(__file__).with_name("regulator.toml")
_LATE: Final = timedelta(minutes=1)
_LEVELS: Final = {
    Stand.OK: "ok: evidence for it is there",
    Stand.WARN: "warn: missing, or weaker than the rule",
    Stand.NOTE: "note: not Écluse's, the controller's organisation",
}


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of ``regulator.toml``. ``evidence``: where to look; ``mend``: what to do where it is missing; ``move``: whose that is."""

    id: str
    source: str
    rule: str
    evidence: str
    mend: str
    move: str


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """How one rule stands here. ``found``: what this installation does about it; ``mend`` and ``move`` are empty where nothing is missing."""

    level: Stand
    id: str
    source: str
    rule: str
    found: str
    evidence: str
    mend: str
    move: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[Asked, ...]


@cache
def asked() -> tuple[Asked, ...]:
    """Return all rules, in the order of the file."""
    return msgspec.convert(load_toml(_FILE.read_text(encoding="utf-8")), _File).rule


def rules_of(seen: Seen) -> tuple[Rule, ...]:
    """Hold every rule against what was seen."""
    rules = []
    for each in asked():
        level, found = CHECKS[each.id](seen)
        open_ = level is not Stand.OK
        said = {key: getattr(each, key) for key in ("id", "source", "rule", "evidence")}
        rules.append(Rule(level=level, found=found, mend=each.mend if open_ else "", move=each.move if open_ else "", **said))
    return tuple(rules)


def examine(installation: Installation) -> tuple[Rule, ...]:
    """Look at an installation, and hold every rule against it. Raises `ContractInvalid` where a contract in force can't be read any more."""
    from ecluse import install
    from ecluse.cli.papers import READER, said_of
    from ecluse.cli.reach import APP, require_log, run, with_connection
    from ecluse.papers.facts import assemble

    said = said_of(installation)

    async def read(connection: Connection) -> Facts:
        await require_log(connection)
        return await assemble(connection, said)

    with install.databases(installation) as reached:
        facts = run(with_connection(installation, reached, READER, read))
        return rules_of(run(with_connection(installation, reached, APP, lambda connection: see(connection, facts, installation))))


async def see(connection: Connection, facts: Facts, installation: Installation) -> Seen:
    """See beside the papers' facts what they leave out: witnesses, what waits for a signature, machines, mail. As the gate's own role."""
    from ecluse.cli.store import log_there, rows_of
    from ecluse.install import LOG_ID
    from ecluse.ledger.policies import read_standing
    from ecluse.ledger.serve import current_log

    stands = await read_standing(connection, await current_log(connection, LOG_ID))
    log = await log_there(connection, LOG_ID)
    late = log is not None and log["size"] > facts.ledger.size and log["now"] - log["last_at"] > _LATE
    keys = await rows_of(connection, "clients", None)
    clients = {row["id"]: row["role"] for row in keys if row["thumbprint"] and row["revoked_at"] is None}
    roles = list(clients.values())
    return Seen(
        facts=facts,
        settings=installation.settings,
        unsigned_since=log["last_at"] if log is not None and late else None,
        witnesses=len(stands.policy.witnesses) if stands.policy else 0,
        quorum_since=stands.quorum_since,
        uncosigned_since=stands.uncosigned_since,
        machines=roles.count("processor"),
        portals=roles.count("portal"),
        mail_problem=await _knocked(installation),
    )


async def _knocked(installation: Installation) -> str:
    """Knock at the mail server, and return what keeps it from taking mail; empty: nothing, or there is none."""
    from ecluse.errors import ConfigurationError
    from ecluse.notices.send import knock, mailbox_of

    try:
        box = mailbox_of(installation)
    except ConfigurationError as bad:
        return f"{bad.where}: {bad.why}"
    return (await knock(box) or "") if box is not None else ""


def show(screen: Screen, rules: Iterable[Rule], *, quiet: bool) -> None:
    """Say each rule under its source, what is done about it, where to look, and what is missing; then how many of each there are."""
    every = tuple(rules)
    count = {level.value: sum(each.level is level for each in every) for level in Stand}
    for source, under in groupby(
        (each for each in every if not quiet or each.level is not Stand.OK), key=lambda each: each.source
    ):
        screen.say(f"\n{source}", style="bold")
        for each in under:
            screen.say(f"{each.level:<5} {each.id:<10} {each.rule}", style=STYLES.get(each.level.value, ""))
            said = [("here", each.found), ("evidence", each.evidence), ("mend", each.mend), ("move", each.move)]
            screen.pairs([(f"      {name}", text) for name, text in said if text])
    screen.say()
    screen.pairs([(str(count[level.value]), words) for level, words in _LEVELS.items()])
    screen.say(
        "\nEvidence of this instant. Whether it is enough, the controller and the authority judge.",
        style="bold",
    )
    screen.answer({"count": count, "rules": every})
