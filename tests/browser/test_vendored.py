"""What others made and stands in our tree: byte for byte what its line in SOURCES.md says."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.unit

VENDOR: Final = Path(__file__).resolve().parent / "vendor"
ROW: Final = re.compile(
    r"^\| `(?P<file>[^`]+)` \|[^|]*\| (?P<version>[^|]+) \| (?P<licence>[^|]+) \| `(?P<hash>[0-9a-f]{64})` \|$", re.MULTILINE
)


def test_vendored_files_when_hashed_then_as_listed() -> None:
    """Each script that others made is listed with version, licence and hash, and is what was listed."""
    rows = {row["file"]: row for row in ROW.finditer((VENDOR / "SOURCES.md").read_text(encoding="utf-8"))}
    assert {path.name for path in VENDOR.glob("*.js")} == set(rows)
    for name, row in rows.items():
        content = (VENDOR / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["hash"]
        assert f"v{row['version'].strip()}".encode() in content[:100]
        assert all((VENDOR / licence).is_file() for licence in re.findall(r"`([^`]+)`", row["licence"]))
