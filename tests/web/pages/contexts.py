"""What a room's tests check its pages with: the context against its struct and its template, the statements of a request, an application in this process.

- `assert_page(template, context)`: the context is a frozen struct, each field is documented in the docstring between double backticks
  and is of the type that it says; the template uses each field, and nothing that the struct does not have.
- ``async with in_process(agency) as (gateway, browser)``: the real application in the test's own loop; ``browser`` is an httpx client at it.
- ``with statements() as seen``: every statement that asyncpg sends meanwhile in this process, whichever pool it takes. A page's number of
  them is the same for few rows and for many::

      async with in_process(agency) as (gateway, browser):
          with statements() as few:
              await browser.get("/console/processors")
          ...  # many more rows
          with statements() as many:
              await browser.get("/console/processors")
      assert len(few) == len(many)
"""

from __future__ import annotations

import asyncio
import re
import types
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Union, get_args, get_origin, get_type_hints
from unittest.mock import patch

import asyncpg
import httpx
import msgspec
from asyncpg.pool import PoolConnectionHolder
from jinja2 import nodes

from ecluse import install, settings
from ecluse.web.app import build_app
from ecluse.web.gateway import Gateway, build
from ecluse.web.pages.frame import environment
from tests.agency import Agency

_TOO_LOOSE: Final = {Any, object, dict}


def assert_page(template: str, context: msgspec.Struct) -> None:
    """Check a page's context against its struct and its template."""
    struct = type(context)
    fields = set(struct.__struct_fields__)
    assert struct.__struct_config__.frozen, f"{struct.__name__} is not frozen"
    undocumented = {name for name in fields if not re.search(rf"``{name}``", struct.__doc__ or "")}
    assert not undocumented, f"{struct.__name__} does not document {sorted(undocumented)}"
    hints = get_type_hints(struct, include_extras=True)
    assert not {name for name, hint in hints.items() if hint in _TOO_LOOSE}, f"{struct.__name__} has fields of any type"
    wrong = {name for name in fields if not _is(getattr(context, name), hints[name])}
    assert not wrong, f"{struct.__name__}: not of their types: {sorted(wrong)}"
    used = used_of(template)
    assert used - fields == set(), f"{template} shows what {struct.__name__} does not have: {sorted(used - fields)}"
    assert fields - used == set(), f"{template} does not show: {sorted(fields - used)}"


def used_of(template: str) -> set[str]:
    """Return which fields of ``page`` a template reads, with those that it extends, includes or imports."""
    made = environment("en")
    left, seen, used = [template], set[str](), set[str]()
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        source, _, _ = made.loader.get_source(made, name)  # type: ignore[union-attr] # there is one
        tree = made.parse(source)
        used |= {
            found.attr
            for found in tree.find_all(nodes.Getattr)
            if isinstance(found.node, nodes.Name) and found.node.name == "page"
        }
        left += [
            found.template.value
            for found in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport))
            if isinstance(found.template, nodes.Const) and found.template.value not in {"pages/parts.html", "pages/frame.html"}
        ]
    return used


def _is(value: object, hint: Any) -> bool:
    """Tell whether a value is of a type, and what it holds too."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return any(_is(value, each) for each in args)
    if hint is None or hint is type(None):
        return value is None
    if origin is None:
        return hint is Any or not isinstance(hint, type) or isinstance(value, hint)
    if not isinstance(origin, type):
        return True
    if not isinstance(value, origin):
        return False
    if isinstance(value, dict) and len(args) == 2:
        return all(_is(key, args[0]) and _is(each, args[1]) for key, each in value.items())
    if isinstance(value, list | tuple | set | frozenset) and args:
        if isinstance(value, tuple) and args[-1] is not Ellipsis and origin is tuple:
            return len(value) == len(args) and all(map(_is, value, args))
        return all(_is(each, args[0]) for each in value)
    return True


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect the statements of every pool of this process; those that only begin or end a transaction are not counted."""
    seen: list[str] = []
    acquire = PoolConnectionHolder.acquire

    def note(record: Any) -> None:
        words = record.query.split()
        if words and words[0].lower().rstrip(";") not in {"begin", "commit", "rollback", "savepoint", "release"}:
            seen.append(record.query)

    async def acquired(self: PoolConnectionHolder) -> Any:
        lent = await acquire(self)
        connection: asyncpg.Connection[Any] = self._con
        connection.add_query_logger(note)
        return lent

    with patch.object(PoolConnectionHolder, "acquire", acquired):
        yield seen


@asynccontextmanager
async def in_process(agency: Agency) -> AsyncIterator[tuple[Gateway, httpx.AsyncClient]]:
    """Run the application on an agency's databases in this loop; it does not sign, the agency's own gates do."""
    installation = settings.load(agency.folder, {"ledger.sign": False}, {})
    with install.databases(installation) as reached:
        gateway = await build(installation, reached.database_url, reached.register_url)

        async def make() -> Gateway:
            return gateway

        app = build_app(make)
        heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        life = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, heard.get, said.put))
        await heard.put({"type": "lifespan.startup"})
        assert (await said.get())["type"] == "lifespan.startup.complete"
        try:
            transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type] # ASGI's own shapes
            async with httpx.AsyncClient(transport=transport, base_url=installation.settings.public_url) as browser:
                yield gateway, browser
        finally:
            await heard.put({"type": "lifespan.shutdown"})
            await said.get()
            await life
