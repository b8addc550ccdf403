"""The command ``ecluse``: what an operator types; it parses, calls one use case and shows what came of it.

It is no second way in: every change goes through the same use cases, and the same seal, as the HTTP interface. Each module here is one
group of commands; what a command runs is imported when it runs, so that ``ecluse --help`` is quick. Personal values are shown by
``ecluse disclose`` and ``ecluse emergency open`` alone.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line, and end the process: 0 done, 1 refused or problems found, 2 wrong usage or configuration."""
    from ecluse.cli.app import app

    app(prog_name="ecluse")
