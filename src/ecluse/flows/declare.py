"""What a contract declares: each attribute of each purpose, one person at a time or on the roll-call, and the countries it goes to. Pure.

A site's country is that of its time zone (CLDR, by Babel). The outermost regions of the Union, which ISO 3166 gives codes of their own, count as the member
state that they are part of (Art. 349 and 355(1) TFEU); so do the Åland Islands.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from babel.core import get_global

from ecluse.contracts import Form
from ecluse.flows.model import Declared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecluse.contracts import Contract, Purpose
    from ecluse.flows.model import Version

PART_OF: Final[Mapping[str, str]] = MappingProxyType(
    {"GF": "FR", "GP": "FR", "MF": "FR", "MQ": "FR", "RE": "FR", "YT": "FR", "AX": "FI"}
)


@cache
def country_of(timezone: str) -> str | None:
    """Return the country that a time zone lies in (ISO 3166-1 alpha-2), None where it lies in none."""
    country = get_global("zone_territories").get(timezone)
    return None if country in {None, "001", "ZZ"} else PART_OF.get(country, country)


def forms_of(purpose: Purpose, *, roll_call: bool) -> Mapping[str, Form]:
    """Return what a purpose gives of one person, or on the roll-call."""
    return purpose.sheet if roll_call else purpose.attributes


def countries_of(contract: Contract) -> tuple[str, ...]:
    """Return the countries of a contract's sites, sorted."""
    return tuple(sorted({country for site in contract.sites.values() if (country := country_of(site.timezone)) is not None}))


def declare(contract: Contract, version: int) -> tuple[Declared, ...]:
    """Return the flows of a contract in the order of its file. An attribute that is ``withheld`` goes nowhere and is none."""
    return tuple(
        Declared(
            processor=contract.processor.id, purpose=purpose.id, attribute=name, form=form, roll_call=roll_call, legal_basis=purpose.legal_basis,
            sub_processors=tuple(sub.name for sub in contract.sub_processors), countries=countries_of(contract), version=version,
            starts_on=contract.starts_on, ends_on=contract.ends_on,
        )
        for purpose in contract.purposes.values()
        for roll_call in (False, True)
        for name, form in forms_of(purpose, roll_call=roll_call).items()
        if form is not Form.WITHHELD
    )  # fmt: skip


def declared_now(versions: Mapping[str, tuple[Version, ...]]) -> tuple[Declared, ...]:
    """Return the flows of every contract in force: the highest version of each processor, where it can be read."""
    return tuple(
        flow
        for _, some in sorted(versions.items())
        if some and some[-1].contract is not None
        for flow in declare(some[-1].contract, some[-1].version)
    )
