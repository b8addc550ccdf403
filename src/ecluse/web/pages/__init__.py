"""People's pages: the frame that all rooms share. Not the rooms themselves: signing in, console, desk and my-data stand beside, one package each.

A room's handler calls `guard.officer` or `guard.agent`, one use case, and `frame.page`. `shield` stands before them all. See ``docs/pages.md``.
"""

from __future__ import annotations

from typing import Final

from ecluse.web.pages import assets
from ecluse.web.pages import help as help_pages

HANDLERS: Final = [*assets.HANDLERS, *help_pages.HANDLERS]
