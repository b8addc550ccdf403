"""What ``ecluse doctor`` looks at: files, database and roles, the log and its signer, contracts in force, the register column by column.

Each finding is a line: how bad, where, what was found, the mend. Looking changes nothing. A part that can't be reached is one line, and the rest is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import asyncpg
import msgspec

from ecluse import clock, install
from ecluse.cli.anchor import STALE
from ecluse.cli.gates import Stands, gates_now
from ecluse.cli.reach import attributes_of, register_map, translated
from ecluse.cli.rekey import STATES, Standing, standing
from ecluse.cli.screen import counted
from ecluse.cli.store import log_there, rows_of
from ecluse.contracts import GateState
from ecluse.contracts.words import words_of
from ecluse.db import OLDEST, Connection, refuse_other_schema, refuse_strong_role
from ecluse.errors import ConfigurationError, EcluseError
from ecluse.identity import parse_token_keys
from ecluse.install import LOG_ID, REGISTER_ROLE, Databases
from ecluse.ledger.errors import LedgerError
from ecluse.ledger.serve import checkpoint, query
from ecluse.register import RegisterMapInvalid
from ecluse.register.doctor import Level, Line, diagnose
from ecluse.register.store import SESSION_SETTINGS
from ecluse.settings import Installation
from ecluse.web.keyfiles import read_fingerprint_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRETS: Final = (
    "log.key",
    "token.key",
    "webhook.key",
    "fingerprint.key",
    "evidence.key",
    "db-app.password",
    "db-jobs.password",
    "db-reader.password",
    "db-usage.password",
    "db-register.password",
)
"""The files of ``keys/`` that a serving machine needs; ``db-owner.password`` may be kept elsewhere."""

_SIGNERS: Final = ("log.key", "db-jobs.password")
"""Those that only the host that signs needs."""

_CLOCKS_APART: Final = timedelta(seconds=1)
_CLOCKS_MEND: Final = "Synchronise both: tokens go by this machine's clock, windows by the database's"
_LATE: Final = timedelta(minutes=1)
_LOOPBACK: Final = ("http://127.0.0.1", "http://localhost", "http://[::1]")
_NUMBER: Final = re.compile(r"[0-9.]+|.*:.*")
_FOLDERS: Final = ("keys", "state")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The findings on one part of the installation."""

    title: str
    lines: tuple[Line, ...]


def ok(where: str, found: str) -> Line:
    """Make a line that needs nothing."""
    return Line(level=Level.OK, where=where, found=found)


def warn(where: str, found: str, mend: str) -> Line:
    """Make a line that somebody should look at."""
    return Line(level=Level.WARN, where=where, found=found, mend=mend)


def fail(where: str, found: str, mend: str) -> Line:
    """Make a line that keeps the gate from working, or from being safe."""
    return Line(level=Level.FAIL, where=where, found=found, mend=mend)


def failed(where: str, error: EcluseError) -> Line:
    """Make a failing line of an error."""
    if isinstance(error, ConfigurationError):
        return fail(error.where, error.why, error.mend)
    return fail(where, str(error) or (error.__doc__ or "").strip(), "See docs/operator-guide.md, section Failures")


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def examine_files(installation: Installation) -> Part:
    """Look at settings, folders and keys."""
    lines = [*_settings_lines(installation), *_mode_lines(installation)]
    needed = [name for name in SECRETS if installation.settings.ledger.sign or name not in _SIGNERS]
    if any(installation.keys.glob("log-*.key")):  # a successor has a key of its own, and the first log's may have been lost
        needed = [name for name in needed if name != "log.key"]
    known = {line.where for line in lines}
    for name in needed:
        try:
            installation.secret(name)
        except ConfigurationError as bad:
            if bad.where not in known:
                lines.append(failed(f"keys/{name}", bad))
    if all(line.level is Level.OK for line in lines if line.where.startswith("keys")):
        lines.append(ok("keys", f"{len(needed)} secrets, for their owner only"))
    return Part(title="Files", lines=(*lines, *_key_lines(installation)))


def _settings_lines(installation: Installation) -> Iterator[Line]:
    """Look at what ecluse.toml says."""
    settings = installation.settings
    if settings.public_url.startswith("https://") or settings.public_url.startswith(_LOOPBACK):
        yield ok("public_url", settings.public_url)
    else:
        yield fail(
            "public_url", f"{settings.public_url}: personal data would travel in clear", "Serve behind TLS and write https://"
        )
    if _NUMBER.fullmatch(urlsplit(settings.pages).hostname or ""):
        yield warn(
            "pages_url", f"{settings.pages}: browsers keep no passkey for a number", "Give the pages a name, and write it there"
        )
    else:
        yield ok("pages_url", settings.pages)
    if settings.database.url:
        yield ok("database.url", "a PostgreSQL of your own")
    else:
        yield warn(
            "database.url", "the embedded PostgreSQL: for evaluation only", "Name your own PostgreSQL before any real data"
        )


def _mode_lines(installation: Installation) -> Iterator[Line]:
    """Look at who may enter the folders, and read or change the files."""
    for name in _FOLDERS if installation.settings.ledger.sign else _FOLDERS[:1]:
        if not (installation.folder / name).is_dir():
            yield fail(name, "the folder is missing", "Restore it from your backup; never make an empty one")
    loose = [fail(each.where, each.why, each.mend) for each in installation.loose_files()]
    yield from loose
    if not loose:
        yield ok("modes", "settings, keys and state are their owner's, and only its to change")
    handed = [name for name in ("install.sql", "register.sql") if (installation.keys / name).exists()]
    for name in handed:
        yield warn(
            f"keys/{name}",
            "it holds passwords and has served once the roles are there",
            "Delete it when the administrator is done",
        )


def _key_lines(installation: Installation) -> Iterator[Line]:
    """Look at whether the keys are what they should be."""
    try:
        keys, now = parse_token_keys(installation.secret("token.key")), clock.now()
        coming = sum(key.from_at > now for key in keys)
        yield ok("keys/token.key", f"{counted(len(keys), 'key', 'keys')} for tokens{', one still to sign' if coming else ''}")
    except EcluseError as bad:
        yield failed("keys/token.key", bad)
    try:
        yield ok("keys/fingerprint.key", f"version {max(read_fingerprint_keys(installation))}")
    except ConfigurationError as bad:
        yield failed("keys/fingerprint.key", bad)
    try:
        yield ok("keys/evidence.key", f"version {max(installation.versioned('evidence.key'))}")
    except ConfigurationError as bad:
        yield failed("keys/evidence.key", bad)


# ── database ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _on(
    installation: Installation, reached: Databases, role: str, look: Callable[[Connection], Awaitable[list[Line]]]
) -> list[Line]:
    """Look at something through one role's connection; what can't be reached is one line."""
    try:
        with translated():
            connection = await install.connect(installation, reached, role)
            try:
                return await look(connection)
            finally:
                await connection.close()
    except EcluseError as bad:
        return [failed(role, bad)]


async def examine_database(installation: Installation, reached: Databases) -> Part:
    """Look at the server, the schema and what each of our roles may do."""
    lines: list[Line] = []
    roles = (
        ("ecluse_app", "ecluse_jobs", "ecluse_reader", "ecluse_usage")
        if installation.settings.ledger.sign
        else ("ecluse_app", "ecluse_reader", "ecluse_usage")
    )
    for role in roles:
        lines += await _on(installation, reached, role, lambda connection, role=role: _role_lines(connection, role))  # type: ignore[misc] # mypy can't type a lambda's default
    lines += await _on(installation, reached, "ecluse_app", _server_lines)
    lines += await _on(installation, reached, "ecluse_app", _schema_lines)
    if not (installation.keys / "db-owner.password").exists():
        lines.append(ok("ecluse_owner", "its password is not kept on this machine"))
    return Part(title="Database", lines=tuple(lines))


async def _role_lines(connection: Connection, role: str) -> list[Line]:
    """Refuse a role that could do more than its part."""
    try:
        await refuse_strong_role(connection)
    except ConfigurationError as strong:
        return [fail(role, strong.why, strong.mend)]
    return [ok(role, "signs in; owns nothing and may become nobody")]


async def _server_lines(connection: Connection) -> list[Line]:
    """Look at the version, at what durability rests on, and at the two clocks."""
    (row,) = await rows_of(connection, "durability")
    apart = abs(row["now"] - clock.now())
    weak = [name for name in ("fsync", "full_page_writes", "synchronous_commit") if row[name] == "off"]
    return [
        ok("server", f"PostgreSQL {row['major']}") if row["major"] >= OLDEST
        else fail("server", f"PostgreSQL {row['major']}", f"Use PostgreSQL {OLDEST} or later"),
        ok("durability", f"fsync on, synchronous_commit {row['synchronous_commit']}") if not weak
        else fail("durability", f"{', '.join(weak)} is off: a sealed entry could be lost", f"Set {', '.join(weak)} on"),
        ok("clocks", "this machine and the database agree") if apart <= _CLOCKS_APART
        else warn("clocks", f"this machine and the database are {apart.total_seconds():.1f} s apart", _CLOCKS_MEND),
    ]  # fmt: skip


async def _schema_lines(connection: Connection) -> list[Line]:
    """Compare the migrations that ran with those of this release."""
    try:
        return [ok("schema", f"at this release ({await refuse_other_schema(connection)} migrations)")]
    except ConfigurationError as other:
        return [fail("schema", other.why, other.mend)]


# ── log ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def examine_log(installation: Installation, reached: Databases) -> Part:
    """Look at the log, its key, its signer's memory and how far it is signed."""

    async def look(connection: Connection) -> list[Line]:
        log = await log_there(connection, LOG_ID)
        if log is None:
            return [fail("log", "it was never opened", "Run `ecluse ledger init --origin NAME`")]
        lines = [
            ok("log", f"{log['origin']}, {counted(log['size'], 'entry', 'entries')}"),
            *await _succession_lines(connection, log["id"]),
        ]
        head = await checkpoint(connection, log["id"])
        unsigned = log["size"] - (head.size if head else 0)
        if unsigned and log["now"] - log["last_at"] > _LATE:
            lines.append(
                warn("checkpoint", f"{unsigned} entries are not signed yet", "`ecluse serve` signs within a second: does it run?")
            )
        else:
            lines.append(ok("checkpoint", f"signed up to entry {head.size}" if head else "none yet"))
        if installation.settings.ledger.anchor_url:
            lines.append(await _anchor_line(connection, log["id"], installation))
        if not installation.settings.ledger.sign:
            return [*lines, ok("signer", "another machine signs")]
        return lines + _signer_lines(installation, log, await standing(connection, installation))

    return Part(title="Ledger", lines=tuple(await _on(installation, reached, "ecluse_app", look)))


async def _succession_lines(connection: Connection, log_id: int) -> list[Line]:
    """Say that the log took another one's place: nobody should forget it."""
    lines = []
    for row in await rows_of(connection, "succession", log_id):
        left = f"{row['signed_size']} entries were signed there, {row['size']} are left"
        found = f"it took the place of {row['origin']} on {row['succeeded_at']:%Y-%m-%d}: {left}"
        lines.append(
            warn("log", found, "See docs/keys.md: what was lost can't be accounted for here, and processors hold receipts of it")
        )
    return lines


async def _anchor_line(connection: Connection, log_id: int, installation: Installation) -> Line:
    """Look at whether checkpoints get time-stamped, and at the roots."""
    try:
        install.authority_of(installation)
    except ConfigurationError as bad:
        return failed("ledger.anchor_roots", bad)
    row = await connection.fetchrow(query("newest_anchor"), log_id)
    mend = "See the gate's log for ledger:anchor; `ecluse ledger anchor` tries it now"
    if row is None:
        return warn("anchor", "no checkpoint is time-stamped yet", mend)
    found = f"the newest time stamp is on {row['size']} entries, {row['stamped_at']:%Y-%m-%dT%H:%M:%SZ}"
    return ok("anchor", found) if clock.now() - row["stamped_at"] <= STALE else warn("anchor", found, mend)


def _signer_lines(installation: Installation, log: asyncpg.Record, stands: Standing) -> list[Line]:
    """Look at the signer's keys and memory, on the machine that signs."""
    key, memory = f"keys/{install.log_file(log['id'], 'key')}", f"state/{install.log_file(log['id'], 'checkpoint')}"
    try:
        signer = install.signer_of(installation, log["id"], log["origin"])
    except (LedgerError, ConfigurationError) as bad:
        return [failed(key, bad)]
    try:
        signer.use(stands.in_use)
    except LedgerError:
        return [fail(key, "it is not the key of this log", "Restore the log's own key from your safe")]
    lines = [] if stands.state == "single" else [warn(key, STATES[stands.state], "See docs/keys.md, section *The log's key*")]
    try:
        signed, _ = signer.last()
    except LedgerError as bad:
        return [*lines, failed(memory, bad)]
    if signed.size > log["size"]:
        found = f"{signed.size} entries were signed, the database has {log['size']}: it was rolled back"
        mend = (
            "Bring the lost entries back from a standby; nothing is signed meanwhile. If there is none: `ecluse ledger succeed`"
        )
        return [*lines, fail(memory, found, mend)]
    return [*lines, ok(memory, f"remembers {counted(signed.size, 'entry', 'entries')} signed")]


# ── contracts and register ───────────────────────────────────────────────────────────────────────────────────────────────────


async def examine_contracts(installation: Installation, reached: Databases) -> Part:
    """Read every contract in force against the present register map, and say how its gate stands."""
    try:
        attributes = attributes_of(register_map(installation.folder / "register.toml"))
    except (ConfigurationError, RegisterMapInvalid):
        return Part(
            title="Contracts",
            lines=(warn("contracts", "not looked at: register.toml can't be read", "Mend register.toml first"),),
        )

    async def look(connection: Connection) -> list[Line]:
        found = await gates_now(connection, attributes, installation.settings.zone)
        lines = [_gate_line(row["id"], row["version"], stands) for row, stands in found]
        return lines or [warn("contracts", "no processor is registered", "Run `ecluse processor add ID --name NAME`")]

    return Part(title="Contracts", lines=tuple(await _on(installation, reached, "ecluse_app", look)))


def _gate_line(processor: str, version: int | None, stands: Stands) -> Line:
    """Say how a gate stands."""
    if version is None:
        return warn(processor, "no contract: nothing is disclosed to it", "Run `ecluse contract apply FILE`")
    if stands.state == "unreadable":
        found = f"version {version} can't be read against register.toml: {stands.why}"
        return fail(processor, found, "Map the attribute again, or apply a new version: until then everything is refused")
    if stands.state == GateState.OPEN:
        return ok(processor, f"version {version}: gate open")
    return warn(
        processor,
        f"version {version}: gate {stands.state}: {stands.why}",
        f"Run `ecluse contract gate {processor}`: {stands.mend}",
    )


def gate_words(reason: str) -> str:
    """Say a gate's reason in words."""
    return words_of(reason).what


async def examine_register(installation: Installation, reached: Databases) -> Part:
    """Compare register.toml with the register, column by column, as the role that reads it."""
    path: Path = installation.folder / "register.toml"
    title = "Register"
    try:
        mapped = register_map(path)
    except RegisterMapInvalid as invalid:
        lines = (fail(f"register.toml, line {fault.line}", f"{fault.where}: {fault.why}", fault.mend) for fault in invalid.faults)
        return Part(title=title, lines=tuple(lines))
    except ConfigurationError as bad:
        return Part(title=title, lines=(failed("register.toml", bad),))
    session = {**SESSION_SETTINGS, "statement_timeout": f"{installation.settings.register.timeout_seconds * 1000:.0f}"}
    try:
        with translated():
            connection = await install.connect(installation, reached, REGISTER_ROLE, session=session)
            try:
                return Part(title=title, lines=await diagnose(connection, mapped))
            finally:
                await connection.close()
    except EcluseError as bad:
        return Part(title=title, lines=(failed("register", bad),))
