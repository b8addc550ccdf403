"""``ecluse ledger counts``: what the log said of each day, decisions by processor and purpose, small cells merged."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from ecluse.cli.options import Dir, Json
from ecluse.cli.screen import Screen


def counts(
    *,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days, newest first.")] = 7,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Show the counts that were sealed each night: decisions by processor and purpose of a UTC day, granted and refused, cells under ten merged."""
    from ecluse.cli.reach import load, on_log
    from ecluse.usage.store import published_counts

    screen, installation = Screen(as_json=as_json), load(folder)
    rows = on_log(installation, lambda connection: published_counts(connection, days), role="ecluse_reader")
    found: list[dict[str, Any]] = [
        {"day": row["day"], "log_id": row["log_id"], "index": row["index"], **json.loads(row["counts"])} for row in rows
    ]
    lines = [line for one in found for line in _lines(one)]
    screen.table(
        ("UTC day", "entry", "processor", "purpose", "decisions"),
        lines,
        empty="Nothing is published yet: the first is, the night after.",
    )
    screen.answer({"days": found})


def _lines(day: dict[str, Any]) -> list[tuple[object, ...]]:
    """Write one day: its cells, then what was merged."""
    lines: list[tuple[object, ...]] = [
        (day["day"], day["index"], cell["processor"], cell["purpose"] or "(none: nobody's handle)", f"{cell['decisions']:,}")
        for cell in day["cells"]
    ]
    others, merged = "all others" if lines else "all together", day["merged"]
    if merged is None:
        lines.append((day["day"], day["index"], others, "", f"fewer than {day['least']}"))
    elif merged or not lines:
        lines.append((day["day"], day["index"], others if merged else "(no decision)", "", f"{merged:,}"))
    return lines
