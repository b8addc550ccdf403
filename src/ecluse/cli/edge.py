"""The edge of the process: every error becomes one line a fault on standard error, and an exit code.

0 done · 1 refused, or problems found · 2 wrong usage or configuration. A line reads ``where: why. mend``. With ``--json`` standard
output holds ``{"error": {"code", "message"}}`` besides. A stranger's exception shows its type and place, never its text: a driver quotes values.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperGroup

from ecluse.errors import ConfigurationError, EcluseError

if TYPE_CHECKING:
    from collections.abc import Mapping

REFUSED: Final = 1
WRONG: Final = 2

_WRONG_CODES: Final = frozenset(
    {"register-map-invalid", "key-invalid", "schedule-kind-unknown", "schedule-mode-unknown", "vkey-invalid", "deferral-refused"}
)

_MENDS: Final[Mapping[str, str]] = {
    "database-unavailable": "Is it running, and reachable from here? `ecluse doctor` looks",
    "database-migration": "Keep the old release running, and report this line",
    "clock-untrusted": "Mend the database machine's clock; `ecluse doctor` compares it",
    "ledger-stale": "Others are changing things: run the command again",
    "client-unknown": "`ecluse processor client list` shows what there is",
    "account-refused": "`ecluse people list` shows who there is",
    "agent-unknown": "`ecluse processor agent list` shows what there is",
    "hold-unknown": "`ecluse processor holds` shows those in force",
    "deferral-unknown": "`ecluse usage list` shows those in force",
    "no-contract": "`ecluse contract list` shows those in force",
    "contract-not-rewritable": "Change that form by hand, and look with `ecluse contract diff`",
    "evidence-unknown": "`ecluse evidence list` shows what there is",
    "evidence-broken": "Run `ecluse ledger fsck`, and compare keys/evidence.key with your safe's",
    "evidence-waiting": "Accept or reject some: `ecluse evidence list PROCESSOR --waiting`",
    "response-unknown": "`ecluse questionnaire list` shows what there is",
    "finding-unknown": "`ecluse finding list` shows those that are open",
    "override-unknown": "`ecluse override list --all` shows what there is",
    "lookup-unknown": "the console lists those that wait",
    "emergency-unknown": "`ecluse emergency list` shows those that wait",
    "key-invalid": "Make a pair with --generate, or name an ES256 or Ed25519 public key",
    "schedule-kind-unknown": "Say which with --kind",
    "vkey-invalid": "Copy the whole line that `ecluse ledger status` shows, or that was handed over",
    "register-unavailable": "`ecluse doctor` looks at the register column by column",
    "unavailable": "Is `ecluse serve` running at that address? The same call may be made again",
    "not-authorised": "Compare --client and --key with `ecluse processor client list`, and this machine's clock with the gate's",
    "receipt-broken": "Keep what you have and tell the controller's data-protection officer",
    "log-forked": "Keep both checkpoints, and tell the controller's data-protection officer and the authority",
    "embedded": "The log named there says more",
}
"""What to do about an error whose own message does not say it, by code."""


class Refusal(EcluseError):
    """A command was refused."""

    code = "refused"

    def __init__(self, where: str, why: str, mend: str) -> None:
        """Say ``where``, ``why`` and the ``mend``, as a `ConfigurationError` does; the exit code is 1, not 2."""
        super().__init__(f"{where}: {why}. {mend}")


class Edge(TyperGroup):
    """The root group: nothing leaves it as a traceback."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - the framework's own types are private to it
        """Run the command; turn what it raises into lines and an exit code."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except EcluseError as error:
            tell(error, as_json=ctx.meta.get("json", False))
            raise typer.Exit(exit_code(error)) from None
        except Exception as error:  # the edge of the process: no traceback, no text of a stranger
            if type(error).__module__.startswith("typer."):
                raise  # wrong usage: the framework explains it, and exits with 2
            sys.stderr.write(
                f"internal: {type(error).__name__} at {_place(error)}. This is a bug of Écluse: report it with this line\n"
            )
            raise typer.Exit(REFUSED) from None


def exit_code(error: EcluseError) -> int:
    """Return 2 for what stands wrong in files and options, else 1."""
    return WRONG if isinstance(error, ConfigurationError) or error.code in _WRONG_CODES else REFUSED


def lines_of(error: EcluseError) -> list[str]:
    """Write an error as lines, each ``where: why. mend``."""
    if isinstance(error, (ConfigurationError, Refusal)):
        return [_ended(str(error))]
    text = str(error)
    if error.code == "register-map-invalid":
        return [_ended(f"register.toml, {line}") for line in text.splitlines()]
    if error.code in {"evidence-refused", "answers-invalid", "library-invalid"}:
        return [_ended(line) for line in text.splitlines()]
    if error.code == "contract-invalid":
        return [_ended(f"contract, {line}") for line in text.splitlines()]
    if " " not in text:  # a bare word: the class has the sentence
        sentence = (type(error).__doc__ or "").strip().splitlines()[0].rstrip(".")
        text = f"{sentence} ({text})" if text not in {"", error.code} else sentence
    mend = f" {_ended(_MENDS[error.code])}" if error.code in _MENDS else ""
    return [f"{error.code}: {_ended(text)}{mend}"]


def _ended(text: str) -> str:
    """End a text with one full stop."""
    return text.rstrip(".") + "."


def tell(error: EcluseError, *, as_json: bool) -> None:
    """Show an error: lines for people, and an object for programs that asked for one."""
    lines = lines_of(error)
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    if as_json:
        sys.stdout.write(json.dumps({"error": {"code": error.code, "message": "\n".join(lines)}}, ensure_ascii=False) + "\n")


def _place(error: BaseException) -> str:
    """Return function and line of the innermost frame."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (
        "?"
        if trace is None
        else f"{trace.tb_frame.f_globals.get('__name__', '?')}.{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
    )
