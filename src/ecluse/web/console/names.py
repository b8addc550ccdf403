"""Who did it, by name: the actor of an act as people know them. An entry holds an officer's id; a page shows the name beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from ecluse.ids import is_id

if TYPE_CHECKING:
    from ecluse.db import Connection

_CLIENT: Final = "client:"
_NAMES: Final = """
select o.id, o.name from ecluse.officer o where o.id = any($1::text[])
union all select a.id, a.label from ecluse.agent a where a.id = any($1::text[])
union all select 'client:' || k.id, k.label from ecluse.client k where k.id = any($2::text[])
"""


async def names_of(connection: Connection, actors: Iterable[str | None]) -> dict[str, str]:
    """Return the names of those actors that have one, by actor: one statement, whatever their number. An agent's is the label its processor gave it."""
    known = {actor for actor in actors if actor}
    people = [actor for actor in known if is_id(actor, "off") or is_id(actor, "agt")]
    clients = [actor.removeprefix(_CLIENT) for actor in known if actor.startswith(_CLIENT)]
    return {row["id"]: row["name"] for row in await connection.fetch(_NAMES, people, clients)}


def say_who(actor: str | None, names: Mapping[str, str]) -> str:
    """Name an actor: an officer by name, an agent or a machine by its label, anybody else as the entry has it."""
    if not actor:
        return ""
    name = names.get(actor)
    return actor if name is None else f"{name} ({actor.removeprefix(_CLIENT)})"
