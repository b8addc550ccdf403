"""What the console keeps in a serving process: who is governed as of the last control entry, today's tally, and pictures of exposure with their time.

One a process, made at its first page. Nothing in it is a decision, and losing it costs a moment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from ecluse.db import LOST, Connection, DatabaseUnavailable, Pool
from ecluse.disclosure import LedgerUnavailable
from ecluse.exposure.service import Engine
from ecluse.web.console.governed import Register
from ecluse.web.console.pictures import Pictures
from ecluse.web.console.tally import Tally
from ecluse.web.gateway import Gateway, HttpRequest

PAGE: Final = 50
"""Rows of a list on one page."""


class Console:
    """The console of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        """Begin with nothing read."""
        zone = gateway.settings.zone
        self.register = Register(gateway.attributes, zone)
        self.tally = Tally(gateway.reader)
        self.pictures = Pictures(Engine(gateway.register_map, zone), gateway.reader)


def console_of(request: HttpRequest, gateway: Gateway) -> Console:
    """Return the console of the application that answers this request."""
    found: Console | None = getattr(request.app.state, "console", None)
    if found is None:
        found = request.app.state.console = Console(gateway)
    return found


@asynccontextmanager
async def _lent(pool: Pool) -> AsyncIterator[Connection]:
    try:
        async with pool.acquire() as connection:
            yield connection
    except (*LOST, DatabaseUnavailable) as lost:
        raise LedgerUnavailable from lost


def reading(gateway: Gateway) -> AbstractAsyncContextManager[Connection]:
    """Lend a connection that reads (role ``ecluse_reader``). Raises `LedgerUnavailable` where there is none."""
    return _lent(gateway.reader)


def acting(gateway: Gateway) -> AbstractAsyncContextManager[Connection]:
    """Lend a connection of the gate's own role, for an act. Raises `LedgerUnavailable`."""
    return _lent(gateway.pool)
