"""How pages write instants, days, hours, numbers and spans of time: as the language does, in the controller's zone. Filters of every template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import jinja2
from babel.dates import format_date, format_time, format_timedelta
from babel.numbers import format_decimal, format_percent

from ecluse import clock
from ecluse.web.pages.language import Language

LOCALES: Final[Mapping[Language, str]] = MappingProxyType({"en": "en_GB", "fr": "fr_FR"})
_HOURS: Final[Mapping[Language, str]] = MappingProxyType({"en": "HH:mm", "fr": "H\u00a0'h'\u00a0mm"})
_BETWEEN: Final[Mapping[Language, str]] = MappingProxyType({"en": ", ", "fr": " à "})
_SIZES: Final[Mapping[Language, tuple[str, ...]]] = MappingProxyType({"en": ("B", "kB", "MB"), "fr": ("o", "ko", "Mo")})


@lru_cache(maxsize=4096)  # a page says the same few days again and again
def show_day(day: date, language: Language, *, short: bool = False) -> str:
    """Write a day: 23 November 2026; short: 23 Nov 2026."""
    return format_date(day, "d MMM y" if short else "d MMMM y", locale=LOCALES[language])


def show_hour(instant: datetime, language: Language, zone: tzinfo) -> str:
    """Write the time of day: 10:00, in French 10 h 00."""
    local = instant.astimezone(zone)
    return _hour(time(local.hour, local.minute), language)


@lru_cache(maxsize=4096)  # there are 1,440 minutes
def _hour(local: time, language: Language) -> str:
    return format_time(local, _HOURS[language], locale=LOCALES[language])


def show_instant(instant: datetime, language: Language, zone: tzinfo) -> str:
    """Write an instant: 23 November 2026, 10:00."""
    return show_day(instant.astimezone(zone).date(), language) + _BETWEEN[language] + show_hour(instant, language, zone)


def show_number(number: float, language: Language) -> str:
    """Write a number: 2,100,000; in French with narrow spaces."""
    return format_decimal(number, locale=LOCALES[language])


def show_share(share: float, language: Language) -> str:
    """Write a share of one in per cent."""
    return format_percent(share, locale=LOCALES[language])


def show_span(span: timedelta, language: Language) -> str:
    """Write a length of time in its largest unit: 3 hours."""
    return format_timedelta(span, locale=LOCALES[language], threshold=1.2)


def show_since(instant: datetime, language: Language, now: datetime) -> str:
    """Write how long ago, or in how long: 3 minutes ago, in 2 hours."""
    return format_timedelta(instant - now, locale=LOCALES[language], add_direction=True, threshold=1.2)


def show_size(bytes_: int, language: Language) -> str:
    """Write a size in bytes: 1.4 MB."""
    value, place = float(bytes_), 0
    while value >= 1000 and place < len(_SIZES[language]) - 1:
        value, place = value / 1000, place + 1
    return f"{format_decimal(round(value, 1) if value < 10 else round(value), locale=LOCALES[language])}\u00a0{_SIZES[language][place]}"


def filters() -> Mapping[str, Callable[..., str]]:
    """Return the filters of templates. They take language, zone and the present from what the frame gives every page."""

    @jinja2.pass_context
    def instant(context: jinja2.runtime.Context, value: datetime) -> str:
        return show_instant(value, context["language"], context["zone"])

    @jinja2.pass_context
    def day(context: jinja2.runtime.Context, value: date, short: bool = False) -> str:  # noqa: FBT001, FBT002 - a filter's argument
        local = value.astimezone(context["zone"]).date() if isinstance(value, datetime) else value
        return show_day(local, context["language"], short=short)

    @jinja2.pass_context
    def hour(context: jinja2.runtime.Context, value: datetime) -> str:
        return show_hour(value, context["language"], context["zone"])

    @jinja2.pass_context
    def since(context: jinja2.runtime.Context, value: datetime) -> str:
        return show_since(value, context["language"], context.get("now") or clock.now())

    def spoken(show: Callable[[Any, Language], str]) -> Callable[..., str]:
        @jinja2.pass_context
        def shown(context: jinja2.runtime.Context, value: Any) -> str:  # noqa: ANN401 - what the filter is put on
            return show(value, context["language"])

        return shown

    return {
        "instant": instant,
        "day": day,
        "hour": hour,
        "since": since,
        "number": spoken(show_number),
        "share": spoken(show_share),
        "span": spoken(show_span),
        "size": spoken(show_size),
    }
