"""Key files of a running gate: looked at again while it runs, so that a key is changed without a restart.

``keys/token.key``: looked at every five seconds, when a token is issued or checked. A file that can't be read is logged and the keys known stay in use: a slip
of the pen is no outage. ``keys/fingerprint.key``: read again when an entry names a version that is not known; the newest version known at the start is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog

from ecluse import clock
from ecluse.disclosure import FingerprintKey
from ecluse.errors import ConfigurationError
from ecluse.identity import KeyInvalid, PublicKey, Token, TokenRing, parse_token_keys
from ecluse.ids import ClientId
from ecluse.settings import Installation

log: Final = structlog.get_logger("ecluse.keys")

LOOK_EVERY: Final = timedelta(seconds=5)
TOKEN_KEY: Final = "token.key"  # noqa: S105 - a file's name
FINGERPRINT_KEY: Final = "fingerprint.key"
MOST_LOOKS: Final = 64
"""How often an unknown version makes the fingerprint keys be read again in a process: a bound, not a need."""


def read_token_ring(installation: Installation, issuer: str) -> TokenRing:
    """Read ``keys/token.key``. Raises `ConfigurationError`."""
    try:
        return TokenRing(parse_token_keys(installation.secret(TOKEN_KEY)), issuer)
    except KeyInvalid as bad:
        raise ConfigurationError(f"keys/{TOKEN_KEY}", bad.why, "Restore it from your safe, or see docs/keys.md") from bad


class LiveTokenKeys:
    """The token keys as the file has them now. Touched by the event loop's one thread."""

    def __init__(self, installation: Installation, issuer: str) -> None:
        """Read the file. Raises `ConfigurationError`."""
        self._installation, self._issuer = installation, issuer
        self._looked_at, self._seen = clock.now(), self._facts()
        self._ring = read_token_ring(installation, issuer)

    def issue(self, *, client_id: ClientId, scope: str, thumbprint: str, now: datetime, jti: str) -> str:
        """Return a token, as `TokenRing.issue` does."""
        return self._present(now).issue(client_id=client_id, scope=scope, thumbprint=thumbprint, now=now, jti=jti)

    def check(self, token: str, now: datetime) -> Token:
        """Return what a token says, as `TokenRing.check` does."""
        return self._present(now).check(token, now)

    def public(self, now: datetime) -> tuple[PublicKey, ...]:
        """Return the public halves to publish."""
        return self._present(now).public(now)

    def _present(self, now: datetime) -> TokenRing:
        """Return the keys, read anew where the file is another than it was."""
        if abs(now - self._looked_at) >= LOOK_EVERY:
            self._looked_at = now
            facts = self._facts()
            if facts != self._seen:
                self._seen = facts
                self._take()
        return self._ring

    def _take(self) -> None:
        """Take the file's keys, or keep those known and say so."""
        try:
            self._ring = read_token_ring(self._installation, self._issuer)
        except ConfigurationError as bad:
            log.error("keys:token:refused", code=bad.code)  # noqa: TRY400 - a constant event, no text
        else:
            log.info("keys:token:taken")

    def _facts(self) -> tuple[int, int, int]:
        """Return what tells one state of the file from another: a new file has another number."""
        try:
            facts = (self._installation.keys / TOKEN_KEY).lstat()
        except OSError:
            return (0, 0, 0)
        return (facts.st_ino, facts.st_mtime_ns, facts.st_size)


class LiveFingerprintKeys(Mapping[int, FingerprintKey]):
    """The fingerprint keys by version. A version that a newer gate brought is read from the file when it is first asked for."""

    def __init__(self, installation: Installation) -> None:
        """Read the file. Raises `ConfigurationError`."""
        self._installation = installation
        self._keys = read_fingerprint_keys(installation)
        self._looks = 0

    def __getitem__(self, version: int) -> FingerprintKey:
        """Return the key of a version."""
        if version not in self._keys and self._looks < MOST_LOOKS:
            self._looks += 1
            self._keys = read_fingerprint_keys(self._installation)
        return self._keys[version]

    def __iter__(self) -> Iterator[int]:
        """Name the versions known."""
        return iter(self._keys)

    def __len__(self) -> int:
        """Count the versions known."""
        return len(self._keys)


def read_fingerprint_keys(installation: Installation) -> dict[int, FingerprintKey]:
    """Read ``keys/fingerprint.key``: the highest version is in use. Raises `ConfigurationError`."""
    keys = installation.versioned(FINGERPRINT_KEY)
    return {version: FingerprintKey(version=version, secret=secret) for version, secret in keys.items()}
