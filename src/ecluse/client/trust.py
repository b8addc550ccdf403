"""Which logs and witnesses are believed: policy files, read strictly, and the quorum that a checkpoint has to reach.

Standard: C2SP tlog-policy. Vectors: ``tests/vectors/c2sp/policies.json``. Pure, and written apart from the server.

    log <vkey> [<address>]        witness <name> <vkey> [<address>]        group <name> all|any|<k> <name>...        quorum <name>|none

One item a line, words apart by spaces and tabs, ``#`` before a comment. A name is defined before it is used, once, and stands in
one group at most. Keys are Ed25519; a policy that names another kind is refused, for what can't be checked can't be counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ecluse.client.errors import QuorumMissing
from ecluse.client.model import Head, Key
from ecluse.client.notes import LOG, WITNESS, open_checkpoint, parse_decimal, parse_vkey
from ecluse.errors import ConfigurationError

MOST_POLICY_BYTES: Final = 1_000_000
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_SHAPES: Final = "log VKEY [ADDRESS], witness NAME VKEY [ADDRESS], group NAME all|any|K NAME..., or quorum NAME|none"
_MEND: Final = "Take the policy file as it was handed over, byte for byte"


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """A log that is believed; ``url``: where its public files are, empty if the policy does not say."""

    key: Key
    url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Witness:
    """A witness that counts; ``name``: in this policy, opaque bytes."""

    name: bytes
    key: Key
    url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The root of trust, as read. ``groups``: threshold and members by name; ``quorum``: None where no witness is asked for."""

    logs: tuple[Log, ...]
    witnesses: tuple[Witness, ...] = ()
    groups: dict[bytes, tuple[int, tuple[bytes, ...]]] = field(default_factory=dict)
    quorum: bytes | None = None

    def reached(self, cosigned_by: Iterable[Key]) -> bool:
        """Tell whether these witnesses are enough."""
        if self.quorum is None:
            return True
        keys = set(cosigned_by)
        counts = {witness.name: witness.key in keys for witness in self.witnesses}
        for name, (threshold, members) in self.groups.items():  # members stand above their group
            counts[name] = sum(counts[member] for member in members) >= threshold
        return counts[self.quorum]

    def url_of(self, origin: str) -> str:
        """Return where a log's public files are, empty if no line says."""
        return next((log.url for log in self.logs if log.key.name == origin and log.url), "")


def believe(note: str | bytes, policy: Policy) -> Head:
    """Open a checkpoint by a policy: signed by one of its logs, cosigned by its quorum. Raises ``ReceiptBroken``, ``QuorumMissing``."""
    head = open_checkpoint(note, (log.key for log in policy.logs), (witness.key for witness in policy.witnesses))
    if not policy.reached(head.cosigned_at):
        raise QuorumMissing(
            f"{len(head.cosigned_at)} of the policy's {len(policy.witnesses)} witnesses have signed, and its quorum asks for more"
        )
    return head


def policy_of_vkey(vkey: str) -> Policy:
    """Make the policy that believes one log and asks for no witness; raise ``ConfigurationError`` for what is no verifier key."""
    try:
        return Policy(logs=(Log(key=parse_vkey(vkey)),))
    except ValueError as bad:
        raise ConfigurationError("vkey", str(bad), "Copy the whole line the controller gave you.") from None


def parse_policy(raw: bytes) -> Policy:
    """Read a policy file; raise ``ConfigurationError`` with the line and why."""
    if len(raw) > MOST_POLICY_BYTES:
        raise ConfigurationError("policy", "the file is too large", _MEND)
    lines = raw.split(b"\n")
    if lines.pop():
        raise ConfigurationError(f"policy, line {len(lines) + 1}", "the last line does not end in a newline", _MEND)
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        try:
            reader.take(line)
        except ValueError as bad:
            raise ConfigurationError(f"policy, line {number}", str(bad), _MEND) from None
    if not reader.quorum:
        raise ConfigurationError("policy", "it has no quorum line", "Without witnesses the line is: quorum none")
    (quorum,) = reader.quorum
    return Policy(
        logs=tuple(reader.logs),
        witnesses=tuple(reader.witnesses),
        groups=reader.groups,
        quorum=None if quorum == b"none" else quorum,
    )


class _Reader:
    """What the lines so far have said. ``parse_policy`` alone uses it."""

    def __init__(self) -> None:
        self.logs: list[Log] = []
        self.witnesses: list[Witness] = []
        self.groups: dict[bytes, tuple[int, tuple[bytes, ...]]] = {}
        self.quorum: list[bytes] = []
        self._defined: set[bytes] = {b"none"}
        self._in_group: set[bytes] = set()

    def take(self, line: bytes) -> None:
        """Read one line; raise ValueError that says why it is none."""
        if _CONTROL.search(line):
            raise ValueError("it holds a control character")
        words = [word for word in re.split(rb"[ \t]+", line) if word]
        if not words or words[0].startswith(b"#"):
            return
        match words:
            case [b"log", vkey, *url] if len(url) < 2:
                key = _key(vkey, LOG, [each.key for each in self.logs])
                self.logs.append(Log(key=key, url=_address(*url)))
            case [b"witness", name, vkey, *url] if len(url) < 2:
                key = _key(vkey, WITNESS, [each.key for each in self.witnesses])
                self._define(name)
                self.witnesses.append(Witness(name=name, key=key, url=_address(*url)))
            case [b"group", name, threshold, *members] if members:
                self._group(name, threshold, members)
            case [b"quorum", name]:
                if self.quorum:
                    raise ValueError("there is a quorum line already")
                if name not in self._defined:
                    raise ValueError("the quorum is not defined above it")
                self.quorum.append(name)
            case _:
                raise ValueError(f"it is none of: {_SHAPES}")

    def _group(self, name: bytes, threshold: bytes, members: list[bytes]) -> None:
        for member in members:
            if member == b"none" or member not in self._defined:
                raise ValueError("a member is not defined above the group")
            if member in self._in_group:
                raise ValueError("a member stands in two groups, or twice")
            self._in_group.add(member)
        self._define(name)
        count = {b"all": len(members), b"any": 1}.get(threshold) or parse_decimal(threshold.decode("ascii", "replace")) or 0
        if not 1 <= count <= len(members):
            raise ValueError("a group's threshold is all, any, or between 1 and the number of its members")
        self.groups[name] = (count, tuple(members))

    def _define(self, name: bytes) -> None:
        if name in self._defined:
            raise ValueError("the name is taken")
        self._defined.add(name)


def _key(vkey: bytes, kind: bytes, others: Iterable[Key]) -> Key:
    """Read a key that none of the ``others`` is, and that none can be taken for."""
    key = parse_vkey(_text(vkey), kind)
    for other in others:
        if key.public_key == other.public_key:
            raise ValueError("the key stands on another line, too")
        if (key.name, key.key_id) == (other.name, other.key_id):
            raise ValueError("another key has this name and id")
    return key


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ValueError("a key is not UTF-8") from None


def _address(raw: bytes = b"") -> str:
    """Read an address, which is opaque: octets that are not UTF-8 are written out."""
    return raw.decode("utf-8", "backslashreplace")
