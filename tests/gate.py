"""What a gate of a test's agency runs: `ecluse.web.serve` in a process of its own, forked from one that has imported it already.

The imports are half of what a start costs, and tests start gates by the hundred. ``ecluse serve`` itself, from the command line, is started by the tests of
the command line and of the demo. Elsewhere than on Linux a fork may not use what the system's libraries keep, so there each gate imports by itself.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

_PRELOADED: Final = [
    "ecluse.install",
    "ecluse.listen",
    "ecluse.settings",
    "ecluse.web.serve",
    "litestar.plugins.attrs",
    "litestar.plugins.pydantic",
    "litestar.middleware._internal.exceptions",
    "litestar._kwargs",
]
_START: Final = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")


def start(folder: Path, options: dict[str, Any], log: Path) -> BaseProcess:
    """Start a gate on an installation; what it prints goes to the end of ``log``. It ends with the tests, if nobody ends it before."""
    if sys.platform == "linux":
        _START.set_forkserver_preload(_PRELOADED)
    process = _START.Process(target=_serve, args=(folder, options, log), daemon=True)
    process.start()
    return process


def _serve(folder: Path, options: dict[str, Any], log: Path) -> None:
    """Be the gate."""
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    from ecluse import install, settings  # noqa: PLC0415 - preloaded where it can be
    from ecluse.listen import set_up_logs  # noqa: PLC0415
    from ecluse.web import serve  # noqa: PLC0415

    set_up_logs()
    installation = settings.load(folder, options, {})
    with install.databases(installation) as reached:
        serve.serve(installation, reached)
