"""The witness policy of a log: what a file may say here, what it changes in plain words, and putting it in force (docs/decisions/0005).

A policy is a tlog-policy file (`quorum`) with more rules, for it is acted on:
 1. UTF-8 text of at most 64 KiB, 32 witnesses and 32 groups.
 2. It names every key that signs the log now, so that the same file serves those who verify.
 3. Every witness has an address to be asked at: https, or http on this very machine.
 4. No witness's key is a key of a log: who signs the log can't witness it.

Each version is kept, sealed with the SHA-256 of its file. The newest is in force; before the first there is no quorum to reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

import msgspec

from ecluse.db import Connection
from ecluse.ledger.errors import LedgerStale, PolicyInvalid, RangeRefused
from ecluse.ledger.fields import Event
from ecluse.ledger.notes import format_vkey
from ecluse.ledger.quorum import Peer, Policy, parse_policy
from ecluse.ledger.serve import query
from ecluse.ledger.service import seal_control

MOST_BYTES: Final = 65_536
MOST_WITNESSES: Final = 32
MOST_GROUPS: Final = 32
_TRIES: Final = 8
_HERE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Overdue(StrEnum):
    """How long entries have been without the cosignatures that the policy asks for: not too long, too long, so long that nothing is disclosed."""

    NO = "ok"
    WARN = "warn"
    FROZEN = "frozen"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a log stands with its witnesses at ``at``, by the database's clock.

    ``version`` 0: no policy yet. ``log_vkeys``: the keys that sign it now. ``quorum_since``: since when a quorum is asked for; ``uncosigned_since``: since
    when entries wait for one; None: it is not, they do not.
    """

    name: str
    origin: str
    log_vkeys: tuple[str, ...]
    version: int
    text: str
    hash: str
    quorum_since: datetime | None
    applied_at: datetime | None
    applied_by: str
    uncosigned_since: datetime | None
    at: datetime

    @property
    def policy(self) -> Policy | None:
        """Return the policy in force."""
        return _parsed(self.text) if self.version else None


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """A version in force; ``changes``: against the one before, in plain words."""

    version: int
    hash: str
    changes: tuple[str, ...]
    index: int


@lru_cache(maxsize=4)
def _parsed(text: str) -> Policy:
    return parse_policy(text.encode())


def overdue(since: datetime | None, at: datetime, *, warn_after: timedelta, freeze_after: timedelta) -> Overdue:
    """Judge at ``at`` how long entries have waited ``since`` an instant (None: none waits)."""
    if since is None or at - since < warn_after:
        return Overdue.NO
    return Overdue.WARN if at - since < freeze_after else Overdue.FROZEN


# ── what a file may say ──────────────────────────────────────────────────────────────────────────────────────────────


def check_policy(raw: bytes, log_vkeys: Sequence[str]) -> Policy:
    """Read a policy file for the log that ``log_vkeys`` sign (rules 1 to 4). Raises `PolicyInvalid` with line, reason and mend."""
    if len(raw) > MOST_BYTES:
        raise PolicyInvalid(0, "the file is larger than 64 KiB")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as bad:
        raise PolicyInvalid(raw[: bad.start].count(b"\n") + 1, "it is not UTF-8 text", "Save the file in UTF-8") from None
    policy = parse_policy(raw)
    if len(policy.witnesses) > MOST_WITNESSES or len(policy.groups) > MOST_GROUPS:
        raise PolicyInvalid(0, f"it has more than {MOST_WITNESSES} witnesses or {MOST_GROUPS} groups", "Leave some out")
    named = {format_vkey(peer.verifier) for peer in policy.logs}
    for vkey in log_vkeys:
        if vkey not in named:
            raise PolicyInvalid(0, "it does not name the key that signs this log", f"Add the line: log {vkey}")
    for witness in policy.witnesses:
        line = _line_of(raw, witness)
        if witness.verifier.public_key in {peer.verifier.public_key for peer in policy.logs}:
            raise PolicyInvalid(
                line, "that witness's key signs a log, and nobody witnesses himself", "Take the key that the witness handed over"
            )
        if not _is_prefix(witness.url):
            why = "it is not a plain https:// address" if witness.url else "that witness has no address to be asked at"
            raise PolicyInvalid(
                line, why, "Write https://host/path after its key, without user, ? or # (http:// on this machine only)"
            )
    return policy


def _line_of(raw: bytes, witness: Peer) -> int:
    """Return the line, from 1, on which a policy that parses defines a witness."""
    for number, line in enumerate(raw.split(b"\n"), 1):
        if line.replace(b"\t", b" ").split()[:2] == [b"witness", witness.name]:
            return number
    raise AssertionError("impossible: a witness that stands on no line")


def _is_prefix(url: str) -> bool:
    """Tell whether a witness may be asked there: https, or http on this very machine; nothing but host, port and path."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and not any(sign in url for sign in " #@?\\")
    return plain and bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _HERE))


# ── in plain words ───────────────────────────────────────────────────────────────────────────────────────────────────


def name_of(witness: Peer) -> str:
    """Return how the policy calls a witness."""
    return witness.name.decode("utf-8", "replace")


def quorum_words(policy: Policy | None) -> str:
    """Say whose cosignatures a checkpoint needs."""
    if policy is None or policy.quorum is None:
        return "none (a checkpoint counts as soon as it is signed)"
    return _group_words(policy, policy.quorum)


def _group_words(policy: Policy, name: bytes) -> str:
    """Say what a name of the policy stands for; at most `MOST_GROUPS` deep."""
    if name not in policy.groups:
        return name.decode("utf-8", "replace")
    threshold, members = policy.groups[name]
    said = [_group_words(policy, member) for member in members]
    if len(said) == 1:
        return said[0]
    listed = ", ".join(f"({one})" if member in policy.groups else one for member, one in zip(members, said, strict=True))
    return f"{'all' if threshold == len(members) else 'any' if threshold == 1 else threshold} of {listed}"


def changes_of(before: Policy | None, after: Policy) -> tuple[str, ...]:
    """Say what one policy changes against another: who is new, who is gone, what the quorum becomes."""
    old = {witness.name: witness for witness in before.witnesses} if before else {}
    new = {witness.name: witness for witness in after.witnesses}
    said = [f"{name_of(one)} is new: it is asked at {one.url}" for name, one in new.items() if name not in old]
    said += [f"{name_of(one)} is gone: its cosignatures count no more" for name, one in old.items() if name not in new]
    for name, one in new.items():
        was = old.get(name, one)
        if was.verifier != one.verifier:
            said.append(f"{name_of(one)} has another key: {format_vkey(one.verifier)}")
        if was.url != one.url:
            said.append(f"{name_of(one)} is asked at {one.url}, no more at {was.url}")
    logs = [{format_vkey(peer.verifier) for peer in policy.logs} if policy else set() for policy in (before, after)]
    said += [f"the key {vkey} may sign the log" for vkey in sorted(logs[1] - logs[0]) if before]
    said += [f"the key {vkey} may sign the log no more" for vkey in sorted(logs[0] - logs[1])]
    if quorum_words(before) != quorum_words(after):
        said.append(f"the quorum becomes {quorum_words(after)}; it was {quorum_words(before)}")
    return tuple(said)


# ── in force ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def read_standing(connection: Connection, log_id: int) -> Standing:
    """Read how a log stands with its witnesses. Raises `RangeRefused` where there is no such log."""
    row = await connection.fetchrow(query("policy_of"), log_id)
    if row is None:
        raise RangeRefused("no such log")
    return Standing(
        name=row["name"],
        origin=row["origin"],
        log_vkeys=tuple(row["log_vkeys"] or ()),
        version=row["version"] or 0,
        text=row["text"] or "",
        hash=row["hash"] or "",
        quorum_since=row["quorum_since"],
        applied_at=row["applied_at"],
        applied_by=row["applied_by"] or "",
        uncosigned_since=row["uncosigned_since"],
        at=row["at"],
    )


async def apply_policy(connection: Connection, *, log_id: int, raw: bytes, actor: str) -> Applied:
    """Put a policy file in force: its text is kept as a new version, its hash is sealed. Raises `PolicyInvalid`."""
    digest = sha256(raw).hexdigest()
    for _ in range(_TRIES):
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            seq = await connection.fetchval("select control_seq from ecluse.ledger_head where log_id = $1::smallint", log_id)
            standing = await read_standing(connection, log_id)
        policy, version = check_policy(raw, standing.log_vkeys), standing.version + 1
        try:
            sealed = await seal_control(
                connection, log_id=log_id, event=Event.WITNESSES_APPLIED, act="witnesses:apply", actor=actor,
                target=f"{standing.name}/{version}", detail={"hash": digest, "version": version}, expected_seq=seq,
                body={"version": version, "text": raw.decode(), "hash": digest, "quorum": policy.quorum is not None, "actor": actor},
            )  # fmt: skip
        except LedgerStale:
            continue
        return Applied(version=version, hash=digest, changes=changes_of(standing.policy, policy), index=sealed.index)
    raise LedgerStale
