"""What the quantum plane asks of its surroundings, as protocols.

Owns nothing but the shapes: the conductor is a `Clock`, the recorder a `Journal` and a `Metrics`.
The plane is written against these, so it needs neither an agenda of its own nor a file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


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


#: Second place of the plane's orders.
OPERATION, HERALD, PHOTON, PULSES, CUTOFF = range(5)
