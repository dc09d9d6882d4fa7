"""Runs that share this process, and how they stay apart.

Owns whose turn it is, and what each run's programs have changed about the process. Does not own what can be
changed (process_state.py), prints (agents/process/output.py) nor what a run does in its turn (network.py).

Two rules. A turn is a stretch of a run in which nothing else is waited for: one run at a time has it, in
whichever thread, in the order in which they asked; what its programs have changed stands during its turns
and in no other's. And `qnetem.run` has its turns from the first to the last without another `run` between
them (`alone`), so that runs in threads come one after the other; networks that event loops carry
(`launch`) take theirs in between. A process that is forked meanwhile starts without any run.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..agents.process.output import routed, unroute
from . import process_state


class Queue:
    """A lock that threads get in the order in which they came. A thread that has it may take it again."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Have nothing taken: no thread that could give it back is there any more."""
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._owner: int | None = None
        self._depth = 0

    @property
    def wanted(self) -> bool:
        """Whether a thread waits for it."""
        return bool(self._waiting)

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Have it for this long; yields whether this is the outermost taking."""
        self._take()
        try:
            yield self._depth == 1
        finally:
            self._give()

    def _take(self) -> None:
        me = threading.get_ident()
        with self._guard:
            if self._owner in (None, me):
                self._owner, self._depth = me, self._depth + 1
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        try:
            mine.acquire()
            self._owner, self._depth = me, 1
        except BaseException:  # Ctrl-C while waiting
            self._leave(mine)
            raise

    def _leave(self, mine: threading.Lock) -> None:
        """Stop waiting; a lock that has been handed over already goes to the next."""
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return
        self._depth = 1
        self._give()

    def _give(self) -> None:
        with self._guard:
            self._depth -= 1
            if self._depth:
                return
            if self._waiting:
                self._owner = -1  # no other thread comes in between
                self._waiting.popleft().release()
            else:
                self._owner = None


_turns = Queue()
_runs = Queue()


@contextmanager
def alone() -> Iterator[None]:
    """A whole run: no other one in this process has a turn before its end, save launched networks."""
    with _runs.taken():
        yield


#: How the process was before the turn that is under way, if one is.
_before: list[dict[str, Any]] = []


class Share:
    """One run's share of the process: what its programs have changed about it."""

    def __init__(self) -> None:
        self._changes: dict[str, Any] = {}
        self._begun = False

    @property
    def wanted(self) -> bool:
        """Whether another run waits for its turn."""
        return _turns.wanted

    @contextmanager
    def turn(self) -> Iterator[None]:
        """This run's turn. May be taken within itself."""
        with _turns.taken() as outermost:
            if not outermost:
                yield
                return
            before = process_state.look()
            _before.append(before)
            self._begin()
            try:
                with routed():
                    yield
            finally:
                _before.clear()
                self._changes = process_state.changed(before, process_state.look())
                process_state.put({name: before[name] for name in self._changes})

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            process_state.show_warnings_again()
        process_state.put(self._changes)


def _after_fork() -> None:
    """A child that was forked while another thread had its turn is as the process was before that."""
    _turns.forget()
    _runs.forget()
    unroute()
    while _before:
        before = _before.pop()
        process_state.put(process_state.changed(process_state.look(), before))


os.register_at_fork(after_in_child=_after_fork)
