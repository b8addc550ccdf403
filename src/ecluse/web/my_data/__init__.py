"""My data: the page for the person the data is about. Who saw what, when and why, with a proof of each line, and whom to write to.

What it is: one person's own record, opened by a one-time link of the controller's portal. What it is not: it has no account and no search, knows nobody but
its visitor, and names nobody who works for an organisation.
"""

from __future__ import annotations

from typing import Any, Final

from ecluse.web.my_data import acts, views
from ecluse.web.pages.language import N_
from ecluse.web.pages.model import About, Notice

HANDLERS: Final[list[Any]] = [*views.HANDLERS, *acts.HANDLERS]
ABOUT: Final = About(
    home="/my-data",
    help="/my-data/help",
    notices={"renewed": Notice("ok", N_("The list is up to date."))},
)

__all__ = ["ABOUT", "HANDLERS"]
