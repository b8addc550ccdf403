"""Signing in and out with a passkey, using a one-time link, and using the passkey once more. Not who there is: the console's accounts; not who may: `guard`."""

from __future__ import annotations

from typing import Final

from ecluse.web.pages.language import N_
from ecluse.web.pages.model import About, Notice
from ecluse.web.sign_in import ceremony, entrance

HANDLERS: Final = [*entrance.HANDLERS, *ceremony.HANDLERS]
ABOUT: Final = About(
    home="/sign-in",
    notices={
        "signed-out": Notice("ok", N_("You are signed out. This browser holds nothing more of your sign-in.")),
    },
)
