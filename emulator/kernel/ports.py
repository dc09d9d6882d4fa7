"""What the planes of a run stand on: time, journal, metrics and random streams.

`Surroundings` joins the four. The world makes one and passes it on; no constructor below takes the four by
hand. Its parts are protocols: the conductor is a `Clock`, the recorder a `Journal` and a `Metrics`, so that
a plane needs neither an agenda of its own nor a file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from .streams import Streams


class Entry(Protocol):
    """Something scheduled."""

    def cancel(self) -> None:
        """Take it off the agenda; harmless when it has already happened."""


class Clock(Protocol):
    """Virtual time."""

    @property
    def now_ns(self) -> int:
        """The present instant's time, in ns."""

    def at(self, t_ns: int, order: tuple[Any, ...], action: Callable[[], None], /) -> Entry:
        """Have `action` called at (t_ns, 0) if that is later than now, else at (now, m+1).

        Completions of one instant run in the order of their `order`. The plane's orders are
        `(name, kind, number)`: a node and the number of its operation or of a qubit in its memory, a
        link and the number of its attempt, a link and the number of its photon. No two alive are equal.
        """


class Journal(Protocol):
    """Takes the events that make the digest."""

    def event(self, entity: str, kind: str, /, *fields: Any) -> None:
        """`kind` happened to `entity` now; `fields` are JSON values with rounded floats."""


class Metrics(Protocol):
    """Takes the numbers that make the report; no part of the digest."""

    def count(self, name: str, n: int = 1, /) -> None:
        """Add `n` to a counter."""

    def observe(self, name: str, value: float, /) -> None:
        """One more value of a quantity."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every part of a run shares; one object a run."""

    clock: Clock
    journal: Journal
    metrics: Metrics
    streams: Streams


#: Second place of the plane's orders.
OPERATION, HERALD, PHOTON, PULSES, CUTOFF, BEACON = range(6)
