"""An installation and its commands, as the tests of the command line drive it."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from typer.testing import CliRunner, Result

from ecluse import settings
from ecluse.cli.app import app
from ecluse.ids import random_bytes

EXAMPLE: Final = Path(__file__).parents[2] / "contracts-example" / "lyon-formation.toml"
PEOPLE: Final = 1_000
EVIDENCE: Final = '[[evidence_required]]\nkind = "pentest"\nmax_age = "P12M"\n'
_ASKED: Final = re.compile(r'\[\[evidence_required\]\]\nkind = "[a-z0-9-]+"\nmax_age = "P[0-9A-Z]+"\n\n?')


class Office:
    """An installation and its commands. ``run`` gives the whole result, ``json`` the object that a command answered."""

    def __init__(self, folder: Path) -> None:
        """Work in ``folder``."""
        self.folder = folder

    @property
    def installation(self) -> settings.Installation:
        """Load the installation anew."""
        return settings.load(self.folder, {}, {})

    def run(self, *words: str | Path, stdin: str | None = None) -> Result:
        """Run a command with ``--dir``."""
        return CliRunner().invoke(app, [str(word) for word in words] + ["--dir", str(self.folder)], input=stdin)

    def json(self, *words: str | Path, code: int = 0, stdin: str | None = None) -> Any:
        """Run a command with ``--json`` and return its one object."""
        result = self.run(*words, "--json", stdin=stdin)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def contract(self, processor: str, **changes: str) -> Path:
        """Write the example's contract for another processor, with texts changed (``old`` to ``new``), and return its path.

        It asks for no evidence: a gate opens as soon as it is applied. `EVIDENCE` may be added for one that does.
        """
        text = _ASKED.sub("", EXAMPLE.read_text(encoding="utf-8")).replace('id = "lyon-formation"', f'id = "{processor}"')
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        path = self.folder / "contracts" / f"{processor}-{random_bytes(4).hex()}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def firm(self) -> str:
        """Register a processor of its own and put a contract in force; return its id."""
        processor = f"firm-{random_bytes(5).hex()}"
        self.json("processor", "add", processor, "--name", "Une maison SARL")
        self.json("contract", "apply", self.contract(processor), "--yes")
        return processor


COLUMNS: Final = (
    "source",
    "session_ref",
    "place_ref",
    "subject_ref",
    "purpose",
    "processor",
    "site",
    "room",
    "starts_at",
    "ends_at",
    "agents",
    "status",
)


def agenda(path: Path, processor: str, **changes: str) -> Path:
    """Write a schedule of one session with two places, tomorrow, some cells of the second row changed."""
    starts = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    common = {
        "source": f"agenda-{processor}", "session_ref": "S1", "purpose": "civic-training", "processor": processor, "site": "lyon-3", "room": "A",
        "starts_at": starts.isoformat(), "ends_at": (starts + timedelta(hours=6)).isoformat(), "agents": "", "status": "planned",
    }  # fmt: skip
    rows = [
        {**common, "place_ref": "P1", "subject_ref": "ofii:20000000066"},
        {**common, "place_ref": "P2", "subject_ref": "ofii:20000000077", **changes},
    ]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8")
    return path
