"""The gate of the demo: ``python -m ecluse.demo.gateway FOLDER``.

It is the real gateway on the demo's installation, attached to the database that the demo started.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ecluse import settings
from ecluse.demo.child import stop_with_parent
from ecluse.install import databases
from ecluse.listen import set_up_logs
from ecluse.web.serve import serve


def main(folder: Path) -> None:
    """Serve until told to stop."""
    installation = settings.load(folder, {}, {})
    set_up_logs()
    stop_with_parent()
    with databases(installation) as reached:
        serve(installation, reached)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
