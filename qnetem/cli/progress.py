"""One line on the terminal during a run.

Owns its text and when it is drawn: at each report of the emulator (at most ten a second), on standard
error, and only if that is a terminal. No thread of its own: it draws when it is called.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

    from ..emulator.wire.control import Progress

#: Order in which states are shown; others follow by name.
_STATES = ("starting", "running", "serving", "finished", "failed", "killed", "lost")
#: Below this, a rate says more about the clock than about the run.
_SHORTEST_S = 0.02


class ProgressLine:
    """A context manager to be called with each Progress; the line is gone when it is left.

    `console`: standard error, if not given. `clock` gives real seconds, for the rate only.
    """

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        shown = sys.stderr.isatty() if console is None else console.is_terminal
        self._live = _live(console) if shown else None  # Rich is not imported for a file
        self._clock = clock
        self._last = (clock(), 0)
        self._rate = 0.0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Draw the line anew."""
        if self._live is not None:
            from rich.text import Text

            line = progress_text(progress, self._instants_per_s(progress.instants))
            self._live.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)

    def _instants_per_s(self, instants: int) -> float:
        now_s = self._clock()
        then_s, before = self._last
        if now_s - then_s >= _SHORTEST_S:
            self._rate = (instants - before) / (now_s - then_s)
            self._last = (now_s, instants)
        return self._rate


def _live(console: Console | None) -> Live:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = console or Console(stderr=True)
    return Live(Text("starting"), console=console, auto_refresh=False, transient=True)


def progress_text(progress: Progress, instants_per_s: float) -> str:
    """`12.346 s  8,210 instants/s  3 running, 1 finished  42 pairs  128 key bits`."""
    parts = [
        _time_text(progress.t_ns),
        f"{instants_per_s:,.0f} instants/s",
        states_text(list(progress.nodes.values())),
    ]
    for noun, ending in (("pairs", "pairs"), ("keys", "keys"), ("key bits", "key_bits")):
        total = _total(progress.counters, ending)
        if total is not None:
            parts.append(f"{total:,.0f} {noun}")
    return "  ".join(part for part in parts if part)


def states_text(states: list[str]) -> str:
    """`3 running, 1 finished`."""
    counts = {state: states.count(state) for state in _STATES}
    counts.update({state: states.count(state) for state in sorted(states)})
    return ", ".join(f"{number} {state}" for state, number in counts.items() if number)


def _time_text(t_ns: int) -> str:
    """Virtual time with a fixed number of decimals, so that the line does not jump."""
    for unit, factor in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if t_ns >= factor:
            return f"{t_ns / factor:,.3f} {unit}"
    return f"{t_ns} ns"


def _total(counters: Mapping[str, float], ending: str) -> float | None:
    """The sum of the counters of this name, of all nodes; None if there is none."""
    found = [
        value for name, value in counters.items() if name == ending or name.endswith("." + ending)
    ]
    return sum(found) if found else None
