"""The bare page that `python -m bench --pages` measures Écluse's pages against: one row by its number in a Jinja2 template, as a small team would write it.

FastAPI on one uvicorn worker, an asyncpg pool, a template of two files with autoescape on. Nobody signs in, nothing is checked, nothing is written down.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import jinja2
from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse

from bench.rival import ROW

_FRAME: Final = """\
<!doctype html>
<html lang="fr">
  <head><meta charset="utf-8"><title>{% block title %}{% endblock %}</title></head>
  <body><nav><ul>{% for name in rooms %}<li><a href="/{{ name }}">{{ name }}</a></li>{% endfor %}</ul></nav><main>{% block main %}{% endblock %}</main></body>
</html>
"""
_PAGE: Final = """\
{% extends "frame" %}
{% block title %}{{ row["family_name"] }}{% endblock %}
{% block main %}
<h1>{{ row["family_name"] }}</h1>
<dl>{% for name, value in row.items() %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>
{% endblock %}
"""
_TEMPLATES: Final = jinja2.Environment(loader=jinja2.DictLoader({"frame": _FRAME, "page": _PAGE}), autoescape=True)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["BENCH_REGISTER_URL"], min_size=10, max_size=10) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_lifespan)


@app.get("/people/{number}")
async def read(number: int) -> HTMLResponse:
    """Show one person."""
    row = await app.state.pool.fetchrow(ROW, number)
    if row is None:
        raise HTTPException(404)
    return HTMLResponse(_TEMPLATES.get_template("page").render(row=dict(row), rooms=("console", "desk", "my-data")))
