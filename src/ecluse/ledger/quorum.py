"""Trust policies: whose signature makes a log's head believed, and how many witnesses' (C2SP tlog-policy). Pure.

One item a line, words apart by spaces and tabs; ``#`` begins a line of comment::

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <name>...
    quorum <name>|none

A name is defined before it is used, once, and is a member of one group at most, so a witness counts in one way only; no key of a log, and none of a
witness, stands twice, under whatever names. Names are opaque bytes. Keys are Ed25519: type 0x01 of logs, type 0x04 of witnesses; a policy that names another
type is refused rather than judged without it.

Vectors: ``tests/vectors/c2sp/policies.json``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from ecluse.ledger.errors import KeyInvalid, PolicyInvalid
from ecluse.ledger.model import Verifier
from ecluse.ledger.notes import COSIGNATURE, ED25519, parse_decimal, parse_vkey

MAX_POLICY_BYTES: Final = 1_000_000
_NONE: Final = b"none"


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A log or witness of a policy.

    ``name``: of a witness, inside the policy (a log has none); ``url``: as it stands there, empty if none is given; octets that are not UTF-8 are written out.
    """

    name: bytes
    verifier: Verifier
    url: str


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy as read. ``groups``: threshold and members by name; ``quorum``: a witness's or group's name, None for no quorum."""

    logs: tuple[Peer, ...]
    witnesses: tuple[Peer, ...]
    groups: dict[bytes, tuple[int, tuple[bytes, ...]]]
    quorum: bytes | None

    def reached(self, cosigned_by: Iterable[Verifier]) -> bool:
        """Tell whether these witnesses' cosignatures are enough. Keys that the policy does not name count for nothing."""
        if self.quorum is None:
            return True
        keys = set(cosigned_by)
        there = {peer.name: peer.verifier in keys for peer in self.witnesses}
        for name, (threshold, members) in self.groups.items():  # members stand on earlier lines
            there[name] = sum(there[member] for member in members) >= threshold
        return there[self.quorum]


def parse_policy(raw: bytes) -> Policy:
    """Read a policy file. Raises `PolicyInvalid` with the line and why."""
    if len(raw) > MAX_POLICY_BYTES:
        raise PolicyInvalid(0, "the file is too large")
    reader = _Reader()
    lines = raw.split(b"\n")
    if lines.pop():
        raise PolicyInvalid(len(lines) + 1, "a line ends in a newline, the last one too")
    for number, line in enumerate(lines, 1):
        reader.take(number, line)
    if not reader.has_quorum:
        raise PolicyInvalid(len(lines), "there is no quorum line. Without witnesses: quorum none")
    return Policy(logs=tuple(reader.logs), witnesses=tuple(reader.witnesses.values()), groups=reader.groups, quorum=reader.quorum)


class _Reader:
    """What has been read so far. Touched by `parse_policy` only."""

    def __init__(self) -> None:
        self.logs: list[Peer] = []
        self.witnesses: dict[bytes, Peer] = {}
        self.groups: dict[bytes, tuple[int, tuple[bytes, ...]]] = {}
        self.members: set[bytes] = set()
        self.keys: set[tuple[bytes, bytes]] = set()
        self.quorum: bytes | None = None
        self.has_quorum = False

    def take(self, number: int, line: bytes) -> None:
        """Read one line."""
        if any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in line):
            raise PolicyInvalid(number, "a control character: lines end in a newline alone, words stand apart by spaces or tabs")
        words = line.replace(b"\t", b" ").split(b" ")
        words = [word for word in words if word]
        if not words or words[0].startswith(b"#"):
            return
        keyword, *rest = words
        try:
            if keyword == b"log" and 1 <= len(rest) <= 2:
                self._log(rest)
            elif keyword == b"witness" and 2 <= len(rest) <= 3:
                self._witness(rest)
            elif keyword == b"group" and len(rest) >= 3:
                self._group(rest[0], rest[1], rest[2:])
            elif keyword == b"quorum" and len(rest) == 1:
                self._quorum(rest[0])
            else:
                raise ValueError(
                    "a line is: log VKEY [URL], witness NAME VKEY [URL], group NAME all|any|K NAME..., or quorum NAME|none"
                )
        except (ValueError, KeyInvalid) as bad:
            raise PolicyInvalid(number, str(bad)) from bad

    def _log(self, rest: list[bytes]) -> None:
        self.logs.append(self._peer(b"", rest, ED25519))

    def _witness(self, rest: list[bytes]) -> None:
        self._define(rest[0])
        self.witnesses[rest[0]] = self._peer(rest[0], rest[1:], COSIGNATURE)

    def _group(self, name: bytes, threshold: bytes, members: list[bytes]) -> None:
        self._define(name)
        for member in members:
            if not self._known(member):
                raise ValueError("a group's member has to be defined on an earlier line")
            if member in self.members:
                raise ValueError("a name is a member of one group, once")
            self.members.add(member)
        try:
            count = {b"all": len(members), b"any": 1}.get(threshold) or parse_decimal(threshold.decode("ascii", "replace"))
        except ValueError:
            count = 0
        if not 1 <= count <= len(members):
            raise ValueError("a group's threshold is all, any, or a number from 1 to that of its members, without leading zero")
        self.groups[name] = (count, tuple(members))

    def _quorum(self, name: bytes) -> None:
        if self.has_quorum:
            raise ValueError("there is one quorum line")
        if name != _NONE and not self._known(name):
            raise ValueError("the quorum has to be defined on an earlier line")
        self.has_quorum, self.quorum = True, None if name == _NONE else name

    def _known(self, name: bytes) -> bool:
        return name in self.witnesses or name in self.groups

    def _define(self, name: bytes) -> None:
        if name == _NONE or self._known(name):
            raise ValueError("a name is defined once, and none is not a name")

    def _peer(self, name: bytes, rest: list[bytes], algorithm: bytes) -> Peer:
        """Read a key and the address after it."""
        try:
            verifier = parse_vkey(rest[0].decode("utf-8"), algorithm)
        except UnicodeDecodeError as bad:
            raise ValueError("a key is not UTF-8") from bad
        if (algorithm, verifier.public_key) in self.keys:
            raise ValueError("a key stands twice, maybe under two names: each log and each witness has its own")
        self.keys.add((algorithm, verifier.public_key))
        return Peer(name=name, verifier=verifier, url=b"".join(rest[1:]).decode("utf-8", "backslashreplace"))
