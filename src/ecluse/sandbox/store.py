"""The invented people as the door reads them, in the shape of a register's answer. Derived: they may be lost and made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import msgspec

from ecluse.db import Connection
from ecluse.register import AttributeType, Row

_READ: Final = "select subject_ref, attributes from ecluse.sandbox_person where subject_ref = any($1::text[])"
_WRITE: Final = "insert into ecluse.sandbox_person (subject_ref, attributes) values ($1, $2::text::jsonb)"
_decode: Final = msgspec.json.Decoder(dict[str, str | None]).decode


async def read_people(connection: Connection, refs: Sequence[str], attributes: Mapping[str, AttributeType]) -> dict[str, Row]:
    """Read ``attributes`` of these people; who is not there is absent from the result, like a subject that a register lacks."""
    found: dict[str, Row] = {}
    for row in await connection.fetch(_READ, list(refs)):
        values = _decode(row["attributes"])
        found[row["subject_ref"]] = {name: _typed(kind, values.get(name)) for name, kind in attributes.items()}
    return found


async def write_people(connection: Connection, people: Mapping[str, Mapping[str, str | None]]) -> None:
    """Put these people in the place of those that were there."""
    async with connection.transaction():
        await drop_people(connection)
        await connection.executemany(_WRITE, [(ref, msgspec.json.encode(values).decode()) for ref, values in people.items()])


async def drop_people(connection: Connection) -> int:
    """Forget them all; return how many there were."""
    return len(await connection.fetch("delete from ecluse.sandbox_person returning subject_ref"))


def _typed(kind: AttributeType, value: str | None) -> str | date | None:
    """Give a value the type that a register's driver gives it."""
    return date.fromisoformat(value) if kind is AttributeType.DATE and value is not None else value
