"""The house's own rules, where no linter has them: sizes, names, and who may touch the clock and the random source.

Each rule is a list of offenders that must be empty. An exception stands in a table here, with its reason; a stale one fails too.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "ecluse"

MAX_FUNCTION_LINES = 60
MAX_MODULE_LINES = 600

LONG_FUNCTIONS: dict[str, str] = {}
"""``module:function`` to the reason why it may be longer than 60 lines."""

LONG_MODULES = {"demo/names.py": "data tables: names in the scripts of the people concerned"}
"""Module to the reason why it may be longer than 600 lines."""

NAMELESS = {"base", "common", "core", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
"""A module of such a name misses a name."""

CLOCK = {"clock.py": "the one reader of the system clock"}
RANDOM_BITS = {"ids.py": "the one place that draws random bits"}
SEEDED = {"demo/": "made-up people come from a seed"}

IMPURE_NAMES = {("ecluse.clock", "now"), ("ecluse.ids", "new_id"), ("ecluse.ids", "random_bytes")}
IMPURE_MODULES = {"ecluse.db", "ecluse.embedded", "ecluse.settings", "ecluse.events"}

CLOCK_CALLS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "datetime.datetime.now", "datetime.datetime.utcnow",
    "datetime.datetime.today", "datetime.date.today", "time.time", "time.time_ns", "time.gmtime", "time.localtime",
}  # fmt: skip
RANDOM_CALLS = {"os.urandom", "os.getrandom", "uuid.uuid1", "uuid.uuid4", "uuid.uuid7"}

MARKS = {"unit", "db", "web", "e2e"}
WAIVER = re.compile(
    r"#\s*(?:noqa:\s*[A-Z]+[0-9]+(?:\s*,\s*[A-Z]+[0-9]+)*|noqa\b|type:\s*ignore(?:\[[a-z, -]+\])?|pragma:\s*no cover)"
)
TODO = re.compile(r"\b(?:TODO|FIXME|XXX)\b(?P<note>\([^)]*\))?")
TODO_NOTE = re.compile(r"\(#\d+, (?P<due>\d{4}-\d{2}-\d{2})\)")


def modules() -> list[Path]:
    """List the modules of the package."""
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    """Name a module by its path inside the package."""
    return path.relative_to(SOURCE).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    """Parse a module, once."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def calls_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and dotted name of every attribute or name that is read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.lineno, ast.unparse(node)


def imports_of(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Yield line, module and name (empty for a plain ``import``) of every import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((node.lineno, node.module or "", alias.name) for alias in node.names)


def offenders(rule: Callable[[ast.Module], Iterator[int]], spared: dict[str, str] | None = None) -> list[str]:
    """Apply a rule to each module that no exception spares (a file, or a folder that ends in a slash)."""
    found = []
    for path in modules():
        name = name_of(path)
        if not any(name == key or (key.endswith("/") and name.startswith(key)) for key in spared or {}):
            found += [f"{name}:{line}" for line in rule(tree_of(path))]
    return found


def functions_of(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the name and length in lines of each function of a module."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name_of(path)}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def text_files() -> list[Path]:
    """List what a commit of the present tree would hold, as far as it is text."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git work tree: there is no list of the project's files")
    command = [git, "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
    paths = [ROOT / name for name in names if name and (ROOT / name).is_file()]
    return [path for path in paths if b"\0" not in path.read_bytes()[:8192]]


def test_functions_when_measured_then_sixty_lines_at_most() -> None:
    """No function is longer than 60 lines, and no exception outlives its need."""
    long = {name for path in modules() for name, lines in functions_of(path) if lines > MAX_FUNCTION_LINES}
    assert long == set(LONG_FUNCTIONS)


def test_modules_when_measured_then_six_hundred_lines_at_most() -> None:
    """No module is longer than 600 lines, data tables excepted."""
    long = {name_of(path) for path in modules() if len(path.read_text(encoding="utf-8").splitlines()) > MAX_MODULE_LINES}
    assert long <= set(LONG_MODULES)


def test_modules_when_named_then_the_name_says_what() -> None:
    """No module or folder is called utils, helpers or the like."""
    names = {part for path in modules() for part in path.relative_to(SOURCE).with_suffix("").parts}
    assert names & NAMELESS == set()


def test_modules_when_opened_then_they_say_what_they_are() -> None:
    """Every module has a docstring."""
    assert [name_of(path) for path in modules() if not ast.get_docstring(tree_of(path))] == []


def test_clock_when_read_then_only_in_clock() -> None:
    """Only ``clock.py`` asks the system for the date or the time of day."""

    def rule(tree: ast.Module) -> Iterator[int]:
        yield from (line for line, name in calls_of(tree) if name in CLOCK_CALLS)
        yield from (line for line, module, name in imports_of(tree) if module == "time" and name in {"time", "time_ns"})

    assert offenders(rule, CLOCK) == []


def test_random_bits_when_drawn_then_only_in_ids() -> None:
    """Only ``ids.py`` draws random bits; private keys are made by cryptography, which draws its own."""

    def rule(tree: ast.Module) -> Iterator[int]:
        yield from (line for line, name in calls_of(tree) if name in RANDOM_CALLS)
        yield from (line for line, module, name in imports_of(tree) if module == "secrets" or f"{module}.{name}" in RANDOM_CALLS)

    assert offenders(rule, RANDOM_BITS) == []


def test_seeded_random_when_imported_then_only_for_made_up_data() -> None:
    """``random`` is for made-up people: no handle, salt or key may come from it."""

    def rule(tree: ast.Module) -> Iterator[int]:
        yield from (line for line, module, _ in imports_of(tree) if module == "random")

    assert offenders(rule, SEEDED) == []


def test_pure_rules_when_read_then_no_clock_ids_settings_or_database() -> None:
    """The modules that import-linter holds pure don't take time, ids, settings or a database from the shared pieces either."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {contract["id"]: contract for contract in project["tool"]["importlinter"]["contracts"]}
    pure = {pattern.rpartition(".")[2] for pattern in contracts["pure"]["source_modules"]}
    assert [
        f"{name_of(path)}:{line}"
        for path in modules()
        if path.stem in pure and path.parent != SOURCE
        for line, module, name in imports_of(tree_of(path))
        if (module, name) in IMPURE_NAMES or module in IMPURE_MODULES or f"{module}.{name}" in IMPURE_MODULES
    ] == []


def test_broad_except_when_used_then_with_a_reason() -> None:
    """Catching everything happens at process edges only, with the reason on the line."""
    found = []
    for path in modules():
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None or re.search(r"\b(Base)?Exception\b", ast.unparse(node.type))
            ):
                comment = WAIVER.sub("", lines[node.lineno - 1].partition("#")[1] + lines[node.lineno - 1].partition("#")[2])
                if not re.search(r"\w{3}", comment):
                    found.append(f"{name_of(path)}:{node.lineno}")
    assert found == []


def test_assert_when_in_source_then_refused() -> None:
    """A safety check is an explicit raise: ``python -O`` strips ``assert``."""

    def rule(tree: ast.Module) -> Iterator[int]:
        yield from (node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert))

    assert offenders(rule) == []


def test_waivers_when_given_then_with_a_reason() -> None:
    """A ``noqa`` or ``type: ignore`` in the package says why, on its line or in a comment on the line above."""
    found = []
    for path in modules():
        lines = ["", *path.read_text(encoding="utf-8").splitlines()]
        for number, line in enumerate(lines):
            waiver = WAIVER.search(line)
            if waiver is None:
                continue
            beside = WAIVER.sub("", line[waiver.start() :])
            above = lines[number - 1].strip()
            if not re.search(r"\w{3}", beside) and not above.startswith("#"):
                found.append(f"{name_of(path)}:{number}")
    assert found == []


def test_todo_when_left_then_with_an_issue_and_a_day_to_come() -> None:
    """A TODO reads ``TODO(#12, 2027-01-31): …`` and fails when its day has passed."""
    found = []
    for path in modules():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for match in TODO.finditer(line.partition("#")[2]):
                note = TODO_NOTE.fullmatch(match["note"] or "")
                if note is None or date.fromisoformat(note["due"]) < datetime.now(UTC).date():
                    found.append(f"{name_of(path)}:{number}")
    assert found == []


def test_tests_when_written_then_they_carry_a_mark() -> None:
    """Every test module says what it needs: unit, db, web or e2e."""
    marked = re.compile(rf"pytest\.mark\.(?:{'|'.join(sorted(MARKS))})\b")
    found = [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if not marked.search(path.read_text(encoding="utf-8"))]
    assert [path.relative_to(ROOT).as_posix() for path in found] == []


def test_files_when_kept_then_no_registry_host_and_no_machine_path() -> None:
    """No file of the project names a package registry's host or a place on somebody's machine."""
    hosts = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.com", "npm" + "js.org", "deb.deb" + "ian.org"]
    homes = ["wo" + "rk", "ro" + "ot", "ho" + "me", "Us" + "ers"]
    forbidden = re.compile("|".join([re.escape(host) for host in hosts] + [rf"(?<![\w.:/}}-])/(?:{'|'.join(homes)})/[\w.-]"]))
    found = []
    for path in text_files():
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if forbidden.search(line):
                found.append(f"{path.relative_to(ROOT).as_posix()}:{number}")
    assert found == []


def test_requirements_when_pinned_then_each_by_version_and_hash_without_an_address() -> None:
    """Each requirement is one version with hashes; no line names an index, an address or a path."""
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        blocks = re.split(r"\n(?=[a-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).strip())
        assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block or "==" not in block] == []
        assert re.findall(r".*(?:://|^-|\s-[ief] |\s/).*", text, flags=re.MULTILINE) == []


def test_requirements_when_declared_then_pinned() -> None:
    """Everything that pyproject.toml asks for is pinned in requirements/runtime.txt."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["dependencies"] + [name for extra in project["optional-dependencies"].values() for name in extra]
    text = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([a-z0-9-]+)==", text, flags=re.MULTILINE))
    wanted = {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower().replace("_", "-") for line in declared}
    assert wanted - pinned == set()
