"""What can go wrong between Écluse and the register.

RegisterError
├── RegisterMapInvalid    ``register.toml`` is wrong: every fault with its line, reason and mend
├── SubjectRefInvalid     a text is not a canonical ``subject_ref`` of this register
├── AttributeUnmapped     an attribute is asked for that ``register.toml`` does not map (any more)
└── RegisterUnavailable   the live register did not answer, or not as the map says

Nothing here holds a value, a key or a driver's message: PostgreSQL quotes the offending text in its own.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ecluse.errors import EcluseError


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake in ``register.toml``: ``line`` from 1, ``where`` as a dotted path, ``why`` it is refused and the ``mend``."""

    line: int
    where: str
    why: str
    mend: str


class Cause(StrEnum):
    """Why the register is unavailable. Grows at its end."""

    CONNECTION = "connection"  # not there, gone, shutting down
    TIMEOUT = "timeout"  # the statement or the wait for a connection took too long
    RESOURCES = "resources"  # it has no connection, memory or disk to spare
    PRIVILEGE = "privilege"  # the role may not read a mapped column
    MISMATCH = "mismatch"  # a mapped table or column is not there, or not of a usable type
    OTHER = "other"


class RegisterError(EcluseError):
    """The register could not be used."""

    code = "register"


class RegisterMapInvalid(RegisterError):
    """The mapping of the register is not valid."""

    code = "register-map-invalid"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        """Carry all ``faults``, in the order of their lines."""
        super().__init__("\n".join(f"line {fault.line}: {fault.where}: {fault.why}. {fault.mend}" for fault in faults))
        self.faults = faults


class SubjectRefInvalid(RegisterError):
    """The reference does not name a subject of this register in its one canonical spelling."""

    code = "subject-ref-invalid"

    def __init__(self, why: str) -> None:
        """Say ``why``, without the reference: it is a person's."""
        super().__init__(why)
        self.why = why


class AttributeUnmapped(RegisterError):
    """An attribute was asked for that the register does not map."""

    code = "attribute-unmapped"

    def __init__(self, attributes: tuple[str, ...]) -> None:
        """Name the unmapped ``attributes``."""
        super().__init__(f"not in register.toml: {', '.join(attributes)}")
        self.attributes = attributes


class RegisterUnavailable(RegisterError):
    """The register can't be read now."""

    code = "register-unavailable"

    def __init__(self, cause: Cause, sqlstate: str | None = None) -> None:
        """Say the ``cause`` and, where PostgreSQL gave one, its ``sqlstate``."""
        super().__init__(cause.value if sqlstate is None else f"{cause.value} ({sqlstate})")
        self.cause, self.sqlstate = cause, sqlstate
