"""The statements of ``alternatives.sql``, for the thief's accounts, the service that is attacked, and who builds them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import aiosql


@cache
def queries() -> Any:  # noqa: ANN401 -- aiosql names its methods after the file's statements
    """Load ``alternatives.sql`` at first use: importing a module does nothing."""
    return aiosql.from_path(Path(__file__).with_name("alternatives.sql"), "asyncpg")
