"""The gate of the demo: ``python -m ecluse.demo.gateway FOLDER``.

It is the real gateway on the demo's installation, attached to the database that the demo started. It stops when the demo does, however that ends:
its standard input is a pipe of the demo's, and a pipe ends with whoever holds it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from ecluse import settings
from ecluse.install import databases
from ecluse.web.serve import serve, set_up_logs


def _stop_with_parent() -> None:
    """End this process, in order, when the demo lets go of the pipe."""
    while os.read(sys.stdin.fileno(), 1):  # raw: a buffered reader would hold its lock while the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main(folder: Path) -> None:
    """Serve until told to stop."""
    installation = settings.load(folder, {}, {})
    set_up_logs()
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    with databases(installation) as reached:
        serve(installation, reached)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
