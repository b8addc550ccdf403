"""What may be logged of an error that is not ours: its type and where it was raised, never its text, which may quote a value."""

from __future__ import annotations


def describe(error: BaseException) -> dict[str, str]:
    """Return the allow-listed fields of a log event about ``error``: type, SQLSTATE if it has one, function and line of the innermost frame."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    fields = {"error": type(error).__name__, "where": f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else ""}
    sqlstate = getattr(error, "sqlstate", None)
    return fields | ({"sqlstate": sqlstate} if isinstance(sqlstate, str) else {})
