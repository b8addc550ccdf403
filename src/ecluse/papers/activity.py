"""``papers.toml`` of an installation: what the law wants a paper to say and no configuration decides, in the controller's own words. Pure.

It is optional, and so is each key: what is not said is printed as an empty, marked box. Unknown keys are refused, as everywhere.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import msgspec

from ecluse.errors import ConfigurationError
from ecluse.papers.model import Activity, Body, Erasure
from ecluse.register.model import Category
from ecluse.toml_lines import TomlSyntaxError, load_toml

FILE: Final = "papers.toml"


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[record]``."""

    reference: str = ""
    service: str = ""
    created_on: date | None = None
    updated_on: date | None = None
    persons: tuple[str, ...] = ()
    source: str = ""
    erasure: dict[Category, str] = msgspec.field(default_factory=dict)
    rights: str = ""
    impact_assessment: str = ""
    automated_decisions: str = ""
    internal_recipients: tuple[str, ...] = ()
    safeguards: str = ""


class _Joint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[joint]]`` controller."""

    name: str
    country: str
    address: str = ""
    contact: str = ""
    reach: str = ""
    representative: str = ""
    dpo: str = ""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    record: _Record = _Record()
    joint: tuple[_Joint, ...] = ()


def parse_activity(text: str) -> tuple[Activity, tuple[Body, ...]]:
    """Read ``papers.toml``: the activity and the joint controllers. Raises `ConfigurationError`."""
    try:
        file = msgspec.convert(load_toml(text), _File)
    except TomlSyntaxError as bad:
        raise ConfigurationError(FILE, f"not TOML: {bad}", "Mend that line") from bad
    except msgspec.ValidationError as bad:
        raise ConfigurationError(FILE, str(bad), "See docs/papers.md for every key") from bad
    said = msgspec.structs.asdict(file.record)
    erasure = tuple(Erasure(category=category, limit=limit) for category, limit in file.record.erasure.items())
    joint = tuple(Body(**msgspec.structs.asdict(each)) for each in file.joint)
    return Activity(**(said | {"erasure": erasure})), joint
