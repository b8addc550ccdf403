"""Who did it, by name: the actor of an act as people know them. An entry holds an officer's id; a page shows the name beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from ecluse.ids import is_id

if TYPE_CHECKING:
    from ecluse.db import Connection

_OFFICERS: Final = "select o.id, o.name from ecluse.officer o where o.id = any($1::text[])"
_CLIENTS: Final = "select k.id, k.label from ecluse.client k where k.id = any($1::text[])"
_CLIENT: Final = "client:"


async def names_of(connection: Connection, actors: Iterable[str | None]) -> dict[str, str]:
    """Return the names of those actors that have one, by actor: two statements, whatever their number."""
    known = {actor for actor in actors if actor}
    officers = [actor for actor in known if is_id(actor, "off")]
    clients = [actor.removeprefix(_CLIENT) for actor in known if actor.startswith(_CLIENT)]
    found = {row["id"]: row["name"] for row in await connection.fetch(_OFFICERS, officers)}
    return found | {f"{_CLIENT}{row['id']}": row["label"] for row in await connection.fetch(_CLIENTS, clients)}


def say_who(actor: str | None, names: Mapping[str, str]) -> str:
    """Name an actor: an officer by name, a machine by its label, anybody else as the entry has it."""
    if not actor:
        return ""
    name = names.get(actor)
    return actor if name is None else f"{name} ({actor.removeprefix(_CLIENT)})"
