"""Serve the agency: the gate as it is, in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.agency import load_installation
from ecluse import install
from ecluse.listen import set_up_logs
from ecluse.web.serve import serve


def main() -> None:
    """Serve the folder and port of the command line until SIGTERM."""
    installation = load_installation(Path(sys.argv[1]), int(sys.argv[2]))
    set_up_logs()
    with install.databases(installation) as reached:
        serve(installation, reached, ready=lambda: print("ready", flush=True))


if __name__ == "__main__":
    main()
