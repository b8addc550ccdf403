"""The desk: the pages of a processor's people. Their day, a session's places, one person at a time, a roll-call, attendance, what to do with a walk-in.

What it is: a hand that puts one question through the one door, as an agent who signed in with a passkey on a browser whose key proves each call. What it is
not: it decides nothing, keeps nobody, and has no list of persons.
"""

from __future__ import annotations

from typing import Any, Final

from ecluse.web.desk import acts, listen, views
from ecluse.web.pages.language import N_
from ecluse.web.pages.model import About, Entry

HANDLERS: Final[list[Any]] = [*views.HANDLERS, *acts.HANDLERS, *listen.HANDLERS]
ABOUT: Final = About(home="/desk", help="/desk/help", navigation=(Entry("today", "/desk", N_("My day")),))

__all__ = ["ABOUT", "HANDLERS"]
