"""What is said while the demo works: one line a step, with what came of it and how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console

STEPS: Final = 8
_TENTH: Final = 10
_SLOW_SECONDS: Final = 3.0


class Line:
    """A step under way. ``detail`` is shown at its end."""

    def __init__(self, console: Console) -> None:
        """Begin to count."""
        self.detail = ""
        self._console, self._began, self._tenths = console, time.perf_counter(), 0

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.perf_counter() - self._began

    def reach(self, done: int, of: int) -> None:
        """Show how far a long step is, each tenth once."""
        tenths = _TENTH * done // of
        if self._tenths < tenths < _TENTH and self.seconds > _SLOW_SECONDS:
            self._console.print(f" {10 * tenths} %", end="", highlight=False)
        self._tenths = max(tenths, self._tenths)


class Progress:
    """Writes the steps, numbered."""

    def __init__(self, console: Console, steps: int = STEPS) -> None:
        """Begin before the first of ``steps``."""
        self._console, self._number, self._steps = console, 0, steps
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """How long everything has taken so far."""
        return time.perf_counter() - self._began

    @contextmanager
    def step(self, title: str) -> Iterator[Line]:
        """Show one step: its title at once, the rest when it is done."""
        self._number += 1
        self._console.print(f"[bold]{self._number}/{self._steps}[/bold] {title} …", end="", highlight=False)
        line = Line(self._console)
        try:
            yield line
        except BaseException:  # whatever it was goes on: only the line on the screen is ended
            self._console.print()
            raise
        detail = f" {line.detail}" if line.detail else ""
        self._console.print(f"{detail} [dim]{line.seconds:.1f} s[/dim]", highlight=False)
