"""The root of every error that Écluse raises on purpose.

EcluseError
├── one base a capability (in its own ``errors.py``)
│   └── few leaves
└── ConfigurationError   the installation's files or options are wrong: says where, why and the mend

A leaf has a stable ``code``, a docstring that is its public sentence, and typed fields. No message holds a personal value.
A state that only a bug can reach raises ``AssertionError("impossible: …")`` instead.
"""

from __future__ import annotations


class EcluseError(Exception):
    """Something was refused or could not be done."""

    code: str = "error"


class ConfigurationError(EcluseError):
    """The installation is not set up as it must be."""

    code = "configuration"

    def __init__(self, where: str, why: str, mend: str) -> None:
        """Say ``where`` (file, key or option), ``why`` it is refused and the ``mend``."""
        super().__init__(f"{where}: {why}. {mend}")
        self.where, self.why, self.mend = where, why, mend
