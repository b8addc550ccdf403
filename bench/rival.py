"""The bare service: the row of one person by its number, as a small team would write it with FastAPI. No authorisation, no decision, no record.

One uvicorn worker, uvloop, httptools, no access log, an asyncpg pool. It reads the same columns of the same two tables, over the same socket, as the
same role. ``BENCH_RIVAL_FAST=1`` takes two steps that few take: no reset of pooled connections, and a response made by hand.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

import asyncpg
import msgspec
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel

ROW = """
select p.naissance as birth_date, p.nom as family_name, p.prenom as given_name, c.telephone as phone, p.langue as preferred_language
from registre.personne p left join registre.coordonnees c on c.numero = p.numero and c.actuelle where p.numero = $1
"""


class Person(BaseModel):
    """One person, as stored."""

    birth_date: date
    family_name: str
    given_name: str | None
    phone: str | None
    preferred_language: str | None


async def _keep(_connection: object) -> None:
    """Reset nothing."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    reset = _keep if os.environ.get("BENCH_RIVAL_FAST") else None
    async with asyncpg.create_pool(os.environ["BENCH_REGISTER_URL"], min_size=10, max_size=10, reset=reset) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_lifespan)


if os.environ.get("BENCH_RIVAL_FAST"):

    @app.get("/people/{number}")
    async def read_fast(number: int) -> Response:
        """Return one person, the response made by hand."""
        row = await app.state.pool.fetchrow(ROW, number)
        if row is None:
            raise HTTPException(404)
        return Response(msgspec.json.encode(dict(row)), media_type="application/json")

else:

    @app.get("/people/{number}")
    async def read(number: int) -> Person:
        """Return one person."""
        row = await app.state.pool.fetchrow(ROW, number)
        if row is None:
            raise HTTPException(404)
        return Person(**row)
