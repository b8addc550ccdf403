"""Where a command answers: words and tables for people, or one JSON object for programs; notices and progress go to standard error.

Whatever came from a file or the database is shown as plain text: no markup, no control character. A word stands beside every colour.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

STYLES: Final[Mapping[str, str]] = {
    "ok": "green", "open": "green", "in use": "green", "narrower": "green",
    "warn": "yellow", "wider": "bold yellow", "other": "",
    "fail": "bold red", "error": "bold red", "frozen": "bold red", "closed": "bold red", "in force": "bold red", "unreadable": "bold red",
}  # fmt: skip
"""How a word is coloured wherever it stands alone in a cell."""

_JOINERS: Final = frozenset("\u200c\u200d\u00a0\u202f")  # letters of some scripts need them, and French its spaces
_PROSE_WIDTH: Final = 16  # below it sentences fall to pieces
_PIPE_WIDTH: Final = 160  # where nobody looks, rows stay whole longer


def plain(value: object) -> str:
    """Write a value as text that can do nothing to a terminal."""
    return "".join(c if c.isprintable() or c in _JOINERS else "\ufffd" for c in str(value))


def counted(number: int, one: str, many: str = "") -> str:
    """Say how many: ``1 entry``, ``2 entries``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def local_time(at: datetime, zone: tzinfo) -> str:
    """Write an instant for people, in the controller's time zone."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _least_widths(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> list[int]:
    """Return how narrow each column may get: its longest word, and where there is prose some words of it."""
    from rich.cells import cell_len

    widths = []
    for column in zip(heads, *lines, strict=True):
        words = max((cell_len(word) for cell in column for word in cell.split()), default=0)
        widths.append(max(words, min(_PROSE_WIDTH, max(cell_len(cell) for cell in column))))
    return widths


class Screen:
    """One command's answer. With ``as_json`` only `answer` writes to standard output."""

    def __init__(self, *, as_json: bool) -> None:
        """Write for people, or (``as_json``) for programs."""
        self.as_json = as_json

    @cached_property
    def _out(self) -> Console:
        from rich.console import Console

        return Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)

    @cached_property
    def _err(self) -> Console:
        from rich.console import Console

        return Console(highlight=False, emoji=False, stderr=True)

    def answer(self, value: object) -> None:
        """Write the JSON object, if one was asked for."""
        if self.as_json:
            import msgspec

            text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
            sys.stdout.write(text + "\n")

    def say(self, text: str = "", style: str = "") -> None:
        """Write a line for people."""
        if not self.as_json:
            from rich.text import Text

            self._out.print(Text("\n".join(plain(line) for line in text.split("\n")), style=style), soft_wrap=True)

    def note(self, text: str) -> None:
        """Write a notice to standard error, whoever reads the answer."""
        from rich.text import Text

        self._err.print(Text(plain(text)), soft_wrap=True)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", empty: str = "") -> None:
        """Write rows under ``heads``; ``empty`` stands in the place of no rows."""
        if self.as_json:
            return
        lines = [[plain(cell) for cell in row] for row in rows]
        if title:
            self.say(title, style="bold")
        if not lines:
            self.say(empty, style="dim")
            return
        least = _least_widths(heads, lines)
        if sum(least) + 3 * (len(least) - 1) > self._out.width:  # no id or date is cut in two: a row becomes a block
            for line in lines:
                self.pairs([(head or "·", cell) for head, cell in zip(heads, line, strict=True) if cell])
                self.say()
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for head, width in zip(heads, least, strict=True):
            table.add_column(head, overflow="fold", min_width=width)
        for line in lines:
            table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in line))
        self._out.print(table)

    def pairs(self, rows: Iterable[tuple[str, object]]) -> None:
        """Write facts, one a line: what it is, and its value."""
        if self.as_json:
            return
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in rows:
            text = plain(value)
            grid.add_row(Text(name), Text(text, style=STYLES.get(text, "")))
        self._out.print(grid)

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask before something is done; ``yes`` answers. A program has to have said so: without it, ``--json`` is wrong usage."""
        if yes:
            return True
        if self.as_json:
            raise typer.BadParameter("with --json nobody can be asked: say --yes as well", param_hint="--yes")
        return typer.confirm(question, default=False)

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Show that something takes a while, where somebody looks."""
        if not self._err.is_terminal:
            yield
            return
        with self._err.status(text):
            yield

    @contextmanager
    def progress(self, text: str) -> Iterator[Callable[[int, int], None]]:
        """Show how far something has come; yields ``tell(done, of)``."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._err, transient=True, disable=not self._err.is_terminal) as bar:
            task = bar.add_task(text, total=None)
            yield lambda done, of: bar.update(task, completed=done, total=of)
