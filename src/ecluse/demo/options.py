"""What ``ecluse demo`` can be asked for."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options. ``then_exit``: stop after the account, instead of serving until Ctrl-C; ``console``: where to tell (None: standard output)."""

    people: int = 20_000
    folder: Path = Path("ecluse-demo")
    port: int = 8080
    then_exit: bool = False
    console: Console | None = None
