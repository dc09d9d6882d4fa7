"""Signals while a run is under way: they end the run first, and are passed on after it.

Owns the handlers of SIGINT, SIGTERM and SIGHUP from before a run starts anything until nothing of it is left.
Does not own how a run ends (launcher, inprocess).

Rules. A signal ends all runs that are under way. Only the main thread can have handlers, so a run in another
thread leaves signals to its caller. A process that is forked meanwhile (by a pool, in another thread) has no
part in the run: its handlers are those from before. SIGHUP stays ignored where it is (nohup).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence

#: What ends a run.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class RunSignals:
    """While it is entered, a signal calls `interrupt`. Attribute: `came`, the signals so far."""

    def __init__(
        self,
        interrupt: Callable[[signal.Signals], None],
        numbers: Sequence[signal.Signals] = ENDING,
    ) -> None:
        self.came: list[signal.Signals] = []
        self._interrupt, self._numbers = interrupt, numbers
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> RunSignals:
        _entered.append(self)
        try:
            for number in self._numbers:
                if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                    continue
                self._before[number] = signal.signal(number, self._on_signal)
        except ValueError:  # not the main thread
            self._before.clear()
        return self

    def __exit__(self, *_: object) -> None:
        _entered.remove(self)
        self.put_back()

    def put_back(self) -> None:
        """Have the handlers from before, now."""
        for number, handler in self._before.items():
            # Of two runs on one event loop the first may end first: the second one puts its handlers back.
            later = next(
                (each for each in _entered if each._before.get(number) == self._on_signal), None
            )
            if later is not None:
                later._before[number] = handler
            elif handler is not None:  # None: it was not set from Python, and cannot be
                signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()

    def _on_signal(self, number: int, _: object) -> None:
        for run in [each for each in _entered if number in each._before]:
            run.came.append(signal.Signals(number))
            run._interrupt(run.came[-1])


#: Those that are entered, the outermost first.
_entered: list[RunSignals] = []


def because_of(number: signal.Signals) -> str:
    """Why the run ended, in words."""
    return f"interrupted by {number.name}"


def _after_fork() -> None:
    while _entered:
        _entered.pop().put_back()


os.register_at_fork(after_in_child=_after_fork)
