"""Checking openings against their entries, many at a time: what `ecluse ledger fsck` spends its time on. Pure.

An opening's text is hashed as it stands: digest and leaf prove its bytes, so nothing is decoded and encoded again. The names of its fields make a *shape*;
openings of one event mostly have one, so their values are found by splitting the text at the borders between fields, and a template of the shape
proves that the text is spelled so. Where that fails (a border inside a value) the text is parsed, and has to be the one canonical spelling all the same.

Per opening with 17 fields some 280,000 instructions, half of them in the 34 calls of SHA-256.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b, sha256
from operator import itemgetter
from struct import Struct
from typing import Final, TypeAlias

import msgspec

from ecluse.ledger.fields import FIELDS, SALT_BYTES, Event
from ecluse.ledger.model import ProblemKind

Row: TypeAlias = tuple[int, bytes, bytes, bytes, bytes, bytes, bytes]
"""index, leaf, the entry's and the opening's sealed_at (as PostgreSQL sends it), the searched columns as `said` writes them, fields, salts."""

Statement: TypeAlias = tuple[int, str, dict[str, object]]
"""index, event and fields of an entry that other tables have to agree with."""

BUCKETS: Final = 16_384
OLDEST_PLAN: Final = timedelta(seconds=5)
"""The most that a seal is later than the plan it seals (``ecluse.seal``, step 3)."""

GRANTS: Final = frozenset({Event.PERSON_GRANTED.value, Event.SHEET_GRANTED.value})
STATEMENTS: Final = frozenset(
    {
        Event.ERASURE_DONE.value, Event.LOG_REKEYED.value, Event.WITNESSES_APPLIED.value, Event.CONTRACT_APPLIED.value,
        Event.EVIDENCE_ACCEPTED.value, Event.EVIDENCE_WITHDRAWN.value, Event.FINDING_OPENED.value, Event.FINDING_CLOSED.value,
        Event.OVERRIDE_APPROVED.value, Event.OVERRIDE_REVOKED.value,
        Event.OFFICER_ADDED.value, Event.OFFICER_CLOSED.value, Event.PASSKEY_ADDED.value, Event.PASSKEY_REVOKED.value,
    }
)  # fmt: skip
_SEARCHED: Final = ("event", "disclosure", "processor", "agent", "subject")
_PERSONAL: Final = frozenset({"disclosure", "agent", "subject"})
_DECIDED: Final = ("disclosure:person:", "disclosure:sheet:", "disclosure:emergency:", "usage:")
_PREFIX: Final = {name: b"ecluse/1/" + name.encode() + b"\0" for name in FIELDS}
_RANK: Final = {name: rank for rank, name in enumerate(FIELDS)}
_BORDER: Final = b'],["'
_ONES: Final = [b"\x01"] * len(FIELDS)
_MOST_SHAPES: Final = 512
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)  # of PostgreSQL's timestamps
_raw_pairs: Final = msgspec.json.Decoder(list[tuple[str, msgspec.Raw]])
_pairs: Final = msgspec.json.Decoder(list[tuple[str, object]])
_text: Final = msgspec.json.Decoder(str | None)


class _Shape:
    """What an opening's names and event say about its text. ``cut``: length of each name with what stands before its value."""

    __slots__ = ("columns", "count", "cut", "event", "granted", "kind", "place", "prefixes", "salts", "template")

    def __init__(self, names: Sequence[str], event: str) -> None:
        """Raises `ValueError` for names that no entry has, or not in this order."""
        ranks = [_RANK.get(name, -1) for name in names]
        if ranks[:2] != [0, 1] or -1 in ranks or ranks != sorted(set(ranks)):
            raise ValueError("fields unknown or out of order")
        self.count = len(names)
        self.cut = [len(name) + 2 for name in names]
        self.template = b'[["' + _BORDER.join(name.encode() + b'",%b' for name in names) + b"]]"
        self.prefixes = [_PREFIX[name] for name in names]
        self.salts = Struct(f"{SALT_BYTES}s" * self.count).unpack
        self.event = event
        self.kind = b"control" if event.startswith("control:") else b"decision"
        self.granted = event in GRANTS and {"processor", "appointment"} <= set(names)
        self.place = itemgetter(*map(names.index, ("processor", "appointment"))) if self.granted else None
        decided = event.startswith(_DECIDED)
        at = {name: rank for rank, name in enumerate(names) if decided or name not in _PERSONAL}
        self.columns = itemgetter(*(at.get(name, self.count) for name in _SEARCHED))  # beyond the values stands a null


def _fold(digests: list[bytes]) -> bytes:
    """Fold field digests into the root, as `fold_digests` does."""
    join = b"".join
    while len(digests) > 1:
        pairs = iter(digests)
        above = [sha256(join(pair)).digest() for pair in zip(_ONES, pairs, pairs, strict=False)]
        if len(digests) % 2:
            above.append(digests[-1])
        digests = above
    return digests[0]


class OpeningChecker:
    """Checks openings and counts what they say. ``key``: keeps buckets from being aimed at; one of each run.

    ``found``: what is wrong, at which entry; ``statements``: of the entries that other tables have to agree with; ``reads``: grants by bucket of their place.
    """

    def __init__(self, key: bytes) -> None:
        """Begin with nothing seen."""
        self.found: list[tuple[ProblemKind, int]] = []
        self.statements: list[Statement] = []
        self.reads = array("q", bytes(8 * BUCKETS))
        self._key = key
        self._shapes: dict[tuple[bytes, int], _Shape] = {}
        self._times = (b"", b"", False)

    def check(self, rows: Sequence[Row]) -> None:
        """Check some openings."""
        for row in rows:
            try:
                self._check(row)
            except (ValueError, TypeError, RecursionError, OverflowError, IndexError, msgspec.MsgspecError):
                self.found.append((ProblemKind.OPENING_OTHER, row[0]))  # no opening at all, or one that nobody could have sealed

    def _check(self, row: Row) -> None:
        index, leaf, entry_at, opening_at, said, fields, salts = row
        shape, values = self._split(fields)
        if len(salts) != SALT_BYTES * shape.count:
            raise ValueError("salts of another length")
        join = b"".join
        digests = [sha256(join(field)).digest() for field in zip(shape.prefixes, shape.salts(salts), values, strict=True)]
        root = _fold(digests).hex().encode()
        at = values[0]
        if leaf != b'{"c":"%b","h":"%bZ","k":"%b","v":1}' % (root, at[1:14], shape.kind):
            raise ValueError("another leaf")
        if opening_at != entry_at or not self._timely(at, entry_at):
            self.found.append((ProblemKind.OPENING_TIME, index))
        values.append(b"null")
        if join(shape.columns(values)) != said and said_by(shape.columns(values)) != said:
            self.found.append((ProblemKind.OPENING_COLUMN, index))
        if shape.place is not None:
            self.reads[bucket_of(join(shape.place(values)), self._key)] += 1
        elif shape.event in STATEMENTS:
            self.statements.append((index, shape.event, dict(_pairs.decode(fields))))

    def _split(self, fields: bytes) -> tuple[_Shape, list[bytes]]:
        """Find shape and values of an opening's text. Raises what `check` expects for a text that is none, or is spelled another way."""
        parts = fields[3:-2].split(_BORDER)
        shape = self._shapes.get((parts[1], len(parts)))
        if shape is not None:
            values = [part[cut:] for part, cut in zip(parts, shape.cut, strict=True)]
            if shape.template % tuple(values) == fields:
                return shape, values
        pairs = _raw_pairs.decode(fields)
        names, values = [name for name, _ in pairs], [bytes(value) for _, value in pairs]
        shape = _Shape(names, str(_text.decode(values[1])))
        if shape.template % tuple(values) != fields:
            raise ValueError("not the canonical spelling")
        if len(self._shapes) >= _MOST_SHAPES:
            self._shapes.clear()
        self._shapes[parts[1], len(parts)] = shape
        return shape, values

    def _timely(self, at: bytes, sealed: bytes) -> bool:
        """Tell whether an entry was sealed when its plan was at most 5 s old. Those of one batch share both times."""
        if self._times[:2] != (at, sealed):
            planned = datetime.fromisoformat(at[1:-1].decode())
            since = instant_of(sealed) - planned
            self._times = (at, sealed, timedelta(0) <= since <= OLDEST_PLAN)
        return self._times[2]


def instant_of(sent: bytes) -> datetime:
    """Read an instant as PostgreSQL sends it. Raises `OverflowError` for those that no calendar has."""
    return _EPOCH + timedelta(microseconds=int.from_bytes(sent, "big", signed=True))


def said_by(values: Sequence[bytes]) -> bytes:
    """Write the searched values as the statement ``openings_of`` writes their columns: in quotes, one after the other, ``null`` where there is none."""

    def words() -> Iterator[bytes]:
        for value in values:
            text = _text.decode(value)
            yield b"null" if text is None else b'"' + text.encode() + b'"'

    return b"".join(words())


def bucket_of(place: bytes, key: bytes) -> int:
    """Return the bucket in which the grants of a place are counted. ``place``: processor and handle as JSON texts."""
    return int.from_bytes(blake2b(place, digest_size=4, key=key).digest(), "big") % BUCKETS


def hour_fits(leaf: bytes, sealed: bytes) -> bool:
    """Tell whether a leaf names the hour in which it was sealed or planned: all that can be said of an entry without opening."""
    named = leaf.partition(b'"h":"')[2][:13]
    try:
        at = instant_of(sealed)
        return named in {f"{one:%Y-%m-%dT%H}".encode() for one in (at, at - OLDEST_PLAN)}
    except (OverflowError, ValueError):
        return False
