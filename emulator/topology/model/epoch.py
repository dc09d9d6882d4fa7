"""The epoch: the moment of the calendar at which virtual time is 0.

Owns how an epoch is read and written, to the nanosecond. Does not own what counts from it.

Rules. An epoch names its zone: a time without one is another moment on another machine, and is refused. It
is kept as ns since 1970-01-01T00:00:00Z, leap seconds not counted, as POSIX time is: 23:59:60 cannot be told
from the second after it, and is refused. Years are limited to `FIRST_YEAR` to `LAST_YEAR`, so that the
calendar does not end before virtual time does.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema

from ..written.names import shown
from ..written.vocabulary import is_written, problem

FIRST_YEAR, LAST_YEAR = 1900, 2199
_EXAMPLE = "such as 2026-03-20T12:00:00Z"
_EXPECTED = f"expected a date and time with its zone, {_EXAMPLE}"
_ZONE = r"(?P<zone>[Zz]|(?P<sign>[-+])(?P<zone_hours>[0-9]{2}):?(?P<zone_minutes>[0-9]{2}))"
_MOMENT = (
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?)?"
)
_WRITTEN = re.compile(rf"{_MOMENT} ?(?:{_ZONE})?")
_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_NS = 10**9


def read_epoch(value: Any) -> int:
    """An epoch as a user writes it, in ns since 1970. Raises ValueError."""
    match = _WRITTEN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{_EXPECTED}, found {shown(value)}")
    if match["zone"] is None:
        raise ValueError(f"{_EXPECTED}, found {shown(value)} without a zone: say Z for UTC")
    return _read(match, value)


def _read(match: re.Match[str], value: str) -> int:
    fraction = match["fraction"] or ""
    if len(fraction.rstrip("0")) > 9:
        raise ValueError(f"expected at most 9 digits of a second, found {shown(value)}")
    second = int(match["second"] or 0)
    if second == 60:
        raise ValueError(
            f"found the leap second {shown(value)}: time counts none, as POSIX time does not; "
            "name the second before it or after it"
        )
    try:
        moment = datetime(
            int(match["year"]),
            int(match["month"]),
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            second,
            tzinfo=_zone(match),
        )
    except ValueError as error:
        raise ValueError(f"{_EXPECTED}, found {shown(value)}: {error}") from error
    return _within(moment, int(fraction.ljust(9, "0")[:9]), value)


def _zone(match: re.Match[str]) -> timezone:
    if match["sign"] is None:
        return UTC
    hours, minutes = int(match["zone_hours"]), int(match["zone_minutes"])
    if minutes > 59:
        raise ValueError("a zone has less than 60 minutes")
    ahead = timedelta(hours=hours, minutes=minutes)
    return timezone(-ahead if match["sign"] == "-" else ahead)


def _within(moment: datetime, fraction_ns: int, value: str) -> int:
    """A moment of whole seconds and `fraction_ns`, in ns since 1970."""
    since = moment - _1970
    epoch_ns = (since.days * 86_400 + since.seconds) * _SECOND_NS + fraction_ns
    if not LEAST_NS <= epoch_ns < END_NS:
        years = f"a year from {FIRST_YEAR} to {LAST_YEAR} (in UTC)"
        raise ValueError(f"expected {years}, found {shown(value)}")
    return epoch_ns


def _year_ns(year: int) -> int:
    return (datetime(year, 1, 1, tzinfo=UTC) - _1970).days * 86_400 * _SECOND_NS


LEAST_NS, END_NS = _year_ns(FIRST_YEAR), _year_ns(LAST_YEAR + 1)


def utc_text(unix_ns: int) -> str:
    """A moment in UTC as ISO 8601, with as many digits of the second as it has: `2026-03-20T12:00:00Z`."""
    whole_s, fraction_ns = divmod(unix_ns, _SECOND_NS)
    moment = (_1970 + timedelta(seconds=whole_s)).replace(tzinfo=None)
    fraction = f".{fraction_ns:09d}".rstrip("0") if fraction_ns else ""
    return f"{moment.isoformat()}{fraction}Z"


def _validate(value: Any, info: ValidationInfo[Any]) -> Any:
    if not is_written(info):
        if isinstance(value, int) and not LEAST_NS <= value < END_NS:
            raise problem(f"expected an epoch from {FIRST_YEAR} to {LAST_YEAR}, found {value} ns")
        return value
    try:
        return read_epoch(value)
    except ValueError as error:
        raise problem(str(error)) from error


_PATTERN = re.sub(r"[?]P<[a-z_]+>", "?:", rf"^\s*{_MOMENT} ?{_ZONE}\s*$")
EpochNs = Annotated[
    int, BeforeValidator(_validate), WithJsonSchema({"type": "string", "pattern": _PATTERN})
]
