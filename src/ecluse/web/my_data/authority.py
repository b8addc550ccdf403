"""Whom a person may complain to (Art. 77 GDPR): the authority of the controller's country, unless the installation names another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ecluse.settings import Controller
from ecluse.web.my_data.model import Authority, Contacts
from ecluse.web.pages.language import N_, Tongue

BY_COUNTRY: Final[Mapping[str, Authority]] = {
    "FR": Authority(
        name="CNIL (Commission nationale de l’informatique et des libertés)",
        lines=("3 place de Fontenoy, TSA 80715", "75334 Paris Cedex 07"),
        site="https://www.cnil.fr/fr/plaintes",
    )
}
"""Public addresses; a country that is not here has the board's list."""
BOARD: Final = "https://www.edpb.europa.eu/about-edpb/about-edpb/members_en"
OTHERS: Final = N_("The data protection authority of your country")


def authority_of(controller: Controller, tongue: Tongue) -> Authority:
    """Return the authority: as the installation says it, else that of the country, else where to find it."""
    if controller.authority:
        return Authority(name=controller.authority, lines=(), site="")
    return BY_COUNTRY.get(controller.country) or Authority(name=tongue.say(OTHERS), lines=(), site=BOARD)


def contacts_of(controller: Controller, tongue: Tongue) -> Contacts:
    """Return whom to write to."""
    return Contacts(
        agency=controller.name, reach=controller.reach, address=controller.address, dpo=controller.dpo,
        authority=authority_of(controller, tongue),
    )  # fmt: skip
