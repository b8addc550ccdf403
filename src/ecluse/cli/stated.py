"""One statement as a database administrator is told of it; and how a file of named statements states them, each with its own comment as the purpose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import aiosql
import msgspec

FUNCTION: Final = "function"
INDEX: Final = "index"
SWEEP: Final = "sweep"
WHOLE: Final = "whole"
WRITE: Final = "write"
EXPECTED: Final = {
    FUNCTION: "one call; its look-ups are shown apart",
    INDEX: "index probes only: no table that grows is read through",
    SWEEP: "one pass over its tables: asked seldom, and of so much that probes would take longer",
    WHOLE: "a small table, read as a whole",
    WRITE: "writes; rows are found by key",
}
"""What each kind of plan has to be."""
_WRITES: Final = frozenset({"insert", "update", "delete", "set"})


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """One statement.

    ``plan``: a word of `EXPECTED`; ``without``: planner settings that its function turns off; ``inside``: of which function it is a part.
    ``values``: those that it is planned with here, as literals, where it hangs on them how few rows are asked for: the server plans such a one by its values.
    """

    name: str
    when: str
    role: str
    purpose: str
    text: str
    plan: str = INDEX
    without: tuple[str, ...] = ()
    inside: str = ""
    values: str = ""


def of_file(path: Path, *, role: str, when: str, but: Mapping[str, Mapping[str, str]] = MappingProxyType({})) -> Iterator[Stated]:
    """State what a file names, in its order. ``but``: of some names, with blanks between them, what is otherwise than for the rest of the file."""
    queries, text = aiosql.from_path(path, "asyncpg"), path.read_text(encoding="utf-8")
    otherwise = {name: more for names, more in but.items() for name in names.split()}
    for name in re.findall(r"^-- name: (\w+)", text, re.MULTILINE):
        query = getattr(queries, name)
        said = query.sql.strip().rstrip(";")
        plan = WRITE if said.split(None, 1)[0].lower() in _WRITES else INDEX
        stated = Stated(name=name, when=when, role=role, purpose=" ".join(query.__doc__.split()), text=said, plan=plan)
        yield msgspec.structs.replace(stated, **otherwise.get(name, {}))
