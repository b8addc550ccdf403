"""Refusals of exposure.

ExposureError
├── NoProcessor     no processor of this name has a contract
└── NoSuchHolder    it has no such client or agent
"""

from __future__ import annotations

from ecluse.errors import EcluseError


class ExposureError(EcluseError):
    """Nothing was computed."""


class NoProcessor(ExposureError):
    """No processor of this name has a contract."""

    code = "no-processor"

    def __init__(self, processor: str) -> None:
        """Name it."""
        super().__init__(
            f"processor: {processor} has no contract that can be read. `ecluse processor list` names those there are"
        )


class NoSuchHolder(ExposureError):
    """The processor has no such client or agent."""

    code = "no-holder"

    def __init__(self, scope: str, name: str, processor: str) -> None:
        """Name it."""
        super().__init__(
            f"{scope}: {processor} has no {scope} {name} (or a client whose keys are all revoked). `ecluse processor show {processor}` names them"
        )
