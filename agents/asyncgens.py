"""Abandoned async generators: their `finally` runs in virtual time, at a point that is the same everywhere.

Owns the two hooks a VirtualLoop sets around its steps, and the list of its live generators. Does not run
anything itself.

Rule: no garbage collection may be seen. A generator whose last reference goes away is closed at once, as
in asyncio: reference counts are deterministic. One that hangs in a reference cycle would be found by the
cycle collector, whose moments depend on everything else in the process; such a one is kept instead and
closed at the program's end, together with those the collector never found, in order of creation.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

_SWEEP = 64


class _Collector:
    """Which thread is inside the cycle collector now (0: none)."""

    thread = 0
    watched = False


def _watch(phase: str, _info: dict[str, int]) -> None:
    _Collector.thread = get_ident() if phase == "start" else 0


@contextmanager
def _no_collection() -> Iterator[None]:
    """A collection in the middle of looking through the list would change it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class AsyncGenerators:
    """The generators first iterated under one loop."""

    def __init__(self, next_number: Callable[[], int], close: Callable[[Any], None]) -> None:
        self._next_number = next_number
        self._close = close
        #: by id(): its creation number and a weak reference; entries of dead ones are swept
        self._known: dict[int, tuple[int, weakref.ref[Any]]] = {}
        self._stranded: list[tuple[int, Any]] = []
        self._sweep_at = _SWEEP
        if not _Collector.watched:
            _Collector.watched = True
            gc.callbacks.append(_watch)

    def first_iteration(self, generator: Any) -> None:
        """Hook: called by the interpreter when a generator is first iterated."""
        if len(self._known) >= self._sweep_at:
            self._sweep()
        self._known[id(generator)] = (self._next_number(), weakref.ref(generator))

    def _sweep(self) -> None:
        with _no_collection():
            self._known = {key: entry for key, entry in self._known.items() if entry[1]()}
        self._sweep_at = max(_SWEEP, 2 * len(self._known))

    def finalizer(self, generator: Any) -> None:
        """Hook: called by the interpreter when an unfinished generator is about to vanish."""
        entry = self._known.pop(id(generator), None)
        if entry is None:
            return
        if _Collector.thread == get_ident():
            self._stranded.append((entry[0], generator))
        else:
            self._close(generator)

    def take_live(self) -> list[Any]:
        """All unfinished generators in order of creation; they are forgotten here."""
        with _no_collection():
            live = list(self._stranded)
            for number, reference in self._known.values():
                generator = reference()
                if generator is not None:
                    live.append((number, generator))
            self._known, self._stranded = {}, []
        return [generator for _, generator in sorted(live, key=lambda entry: entry[0])]

    def clear(self) -> None:
        """Forget all: none of them is ever closed."""
        self._known, self._stranded = {}, []
