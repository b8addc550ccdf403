"""What the gate answers, as frozen types. Personal values never show themselves: only ``subject[name]`` gives one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class PersonalValues(Mapping[str, Json]):
    """The disclosed attributes of one person: a mapping that prints its names and never its values."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Json]) -> None:
        """Wrap the values."""
        self._values = dict(values)

    def __getitem__(self, name: str) -> Json:
        """Unwrap one value; null where the register has none."""
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        """Walk the attributes' names."""
        return iter(self._values)

    def __len__(self) -> int:
        """Count the attributes."""
        return len(self._values)

    def __repr__(self) -> str:
        """Show names only."""
        return f"PersonalValues({', '.join(f'{name}=***' for name in self._values)})"

    def __reduce__(self) -> tuple[object, ...]:
        """Refuse to be pickled: a copy on disk or in a queue is a disclosure that nobody decided."""
        raise TypeError("personal values are not pickled")


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What proves a disclosure (0001, "Opening and receipt"). Its repr leaves out what helps to guess values."""

    log: str
    index: int
    leaf_hash: bytes
    opening: dict[str, Json] = field(repr=False)
    value_salts: dict[str, bytes] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Disclosed:
    """One person's attributes, as granted for one appointment to one agent; withheld ones are in ``forms`` only.

    ``proven``: the log's proof, where the client is set to fetch it at once and the gate could give it.
    """

    disclosure: str
    appointment: str
    agent: str
    subject: PersonalValues
    forms: dict[str, str]
    window_closes_at: datetime
    receipt: Receipt
    proven: Proven | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """A receipt that waits for its proof: no value of the person is in it. ``since``: when it was given."""

    disclosure: str
    receipt: Receipt
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One person's place in a session: the appointment's handle, the enrolment, and when the window is open (half-open)."""

    id: str
    enrolment: str
    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A dated event at a site of this processor, and the places in it."""

    id: str
    purpose: str
    site: str
    starts_at: datetime
    ends_at: datetime
    appointments: tuple[Place, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A key that signs checkpoints, a log's or a witness's: what was handed over, not what somebody says today."""

    name: str
    key_id: bytes
    public_key: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A head of the log: ``root`` (32 bytes) over the first ``size`` entries."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """A checkpoint whose signatures were checked. ``cosigned_at``: the witnesses that are known and saw it, in seconds since 1970."""

    checkpoint: Checkpoint
    note: str = field(repr=False)
    signed_by: tuple[Key, ...]
    cosigned_at: dict[Key, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Proven:
    """An entry shown to be in the log that ``head`` heads; ``path``: the inclusion proof, leaf side first."""

    index: int
    leaf_hash: bytes
    head: Head
    path: tuple[bytes, ...] = field(repr=False)
