"""A witness of the demo: ``python -m ecluse.demo.onlooker FOLDER PORT``. It is the real witness on its own folder, and ends with the demo."""

from __future__ import annotations

import sys
from pathlib import Path

from ecluse.demo.child import stop_with_parent
from ecluse.demo.premises import HOST
from ecluse.listen import set_up_logs
from ecluse.witness.serve import serve
from ecluse.witness.service import Witness


def main(folder: Path, port: int) -> None:
    """Serve until told to stop."""
    set_up_logs()
    stop_with_parent()
    serve(Witness(folder), host=HOST, port=port)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
