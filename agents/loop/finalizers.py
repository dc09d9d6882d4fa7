"""Code of a program that Python runs by itself: async generators, destructors, coroutines that are freed.

Owns the hooks that stand while a VirtualLoop is stepped, the list of each loop's live async generators, and
how the coroutines of a killed program are closed. Does not run anything itself.

Rule: no garbage collection may be seen. What the cycle collector finds, it finds at a moment that depends
on everything else in the process. A generator whose last reference goes away is closed at once, as in
asyncio: reference counts are deterministic. One that hangs in a reference cycle is kept instead and closed
at the program's end, together with those the collector never found, in order of creation. An exception of a
`__del__` or of a weak reference's callback, which Python cannot raise anywhere, is the program's and fails
its node like one in a callback; one that is raised inside the collector is written to the log only.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import weakref
from asyncio import _get_running_loop
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from .owners import current

_SWEEP = 64
#: How often a coroutine is closed: once for itself, then once for each await in a `finally`.
_CLOSINGS = 8


# --- async generators -----------------------------------------------------------------------------


def first_iteration(generator: Any) -> None:
    """Hook: called by the interpreter when a generator is first iterated; the running loop takes it."""
    generators = getattr(_get_running_loop(), "generators", None)
    if isinstance(generators, AsyncGenerators):
        generators.note(generator)


def finalizer(generator: Any) -> None:
    """Hook: called by the interpreter when an unfinished generator is about to vanish."""
    generators = _owners.get(id(generator))
    if generators is not None:
        generators.vanishes(generator)


#: id() of a generator -> the list it stands in.
_owners: dict[int, AsyncGenerators] = {}


@contextmanager
def hooked() -> Iterator[None]:
    """All hooks stand for this long: steps need not set them, which costs as much as a small step."""
    before, unraisable = sys.get_asyncgen_hooks(), sys.unraisablehook
    sys.set_asyncgen_hooks(first_iteration, finalizer)
    if unraisable is not in_destructor:
        put_aside(unraisable)
    try:
        yield
    finally:
        sys.unraisablehook = unraisable
        sys.set_asyncgen_hooks(*before)


class _Collector:
    """Which thread is inside the cycle collector now (0: none)."""

    thread = 0
    watched = False


def is_collecting() -> bool:
    """Whether this thread is inside the cycle collector."""
    return _Collector.thread == get_ident()


def _watch(phase: str, _info: dict[str, int]) -> None:
    _Collector.thread = get_ident() if phase == "start" else 0


@contextmanager
def no_collection() -> Iterator[None]:
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
        #: by id(): its creation number, a weak reference and its owner; entries of dead ones are swept
        self._known: dict[int, tuple[int, weakref.ref[Any], str]] = {}
        self._stranded: list[tuple[int, Any, str]] = []
        self._sweep_at = _SWEEP
        if not _Collector.watched:
            _Collector.watched = True
            gc.callbacks.append(_watch)

    def note(self, generator: Any) -> None:
        """A generator is iterated for the first time."""
        if len(self._known) >= self._sweep_at:
            self._sweep()
        self._known[id(generator)] = (
            self._next_number(),
            weakref.ref(generator),
            current().name,
        )
        _owners[id(generator)] = self

    def _sweep(self) -> None:
        with no_collection():
            ended = [key for key, entry in self._known.items() if not entry[1]()]
            self._disown(ended)
            for key in ended:
                del self._known[key]
        self._sweep_at = max(_SWEEP, 2 * len(self._known))

    def _disown(self, keys: Iterable[int]) -> None:
        """These are no longer ours; one whose place in memory was used again may be another loop's."""
        for key in keys:
            if _owners.get(key) is self:
                del _owners[key]

    def vanishes(self, generator: Any) -> None:
        """An unfinished generator has lost its last reference, or was found by the collector."""
        entry = self._known.pop(id(generator), None)
        self._disown((id(generator),))
        if entry is None:
            return
        if is_collecting():
            self._stranded.append((entry[0], generator, entry[2]))
        else:
            self._close(generator)

    def take_live(self, owner: str | None = None) -> list[Any]:
        """All unfinished generators (of one owner) in order of creation; they are forgotten here."""
        with no_collection():
            live = [(entry[0], entry[1]) for entry in self._stranded if owner in (None, entry[2])]
            taken = [key for key, entry in self._known.items() if owner in (None, entry[2])]
            for key in taken:
                generator = self._known[key][1]()
                if generator is not None:
                    live.append((self._known[key][0], generator))
            self._disown(taken)
            for key in taken:
                del self._known[key]
            self._stranded = [entry for entry in self._stranded if owner not in (None, entry[2])]
        return [generator for _, generator in sorted(live, key=lambda entry: entry[0])]

    def clear(self) -> None:
        """Forget all: none of them is ever closed."""
        self._disown(self._known)
        self._known, self._stranded = {}, []


# --- destructors ----------------------------------------------------------------------------------


class _Outside:
    """The hook that stood before."""

    hook: Callable[[Any], object] = sys.__unraisablehook__


def put_aside(hook: Callable[[Any], object]) -> None:
    """Put ours in place of `hook`, which gets what is not a program's."""
    _Outside.hook = hook
    sys.unraisablehook = in_destructor


def in_destructor(unraisable: Any) -> None:
    """Hook: called by the interpreter with an exception that it cannot raise."""
    note = getattr(_get_running_loop(), "note_unhandled", None)
    if note is None or is_collecting():
        _Outside.hook(unraisable)
        return
    error = unraisable.exc_value
    note("an exception in a destructor", error or unraisable.exc_type())


# --- coroutines of a killed program ---------------------------------------------------------------


def close_for_good(coroutine: Any) -> None:
    """Close a suspended coroutine and all it awaits, innermost first; none of its code runs again.

    `finally` blocks run up to their awaits. What the program raises meanwhile is dropped; only
    KeyboardInterrupt, which is the user's, passes. A coroutine that does not end stays suspended for ever: if
    Python freed it later, it would throw once more, with no loop running, and a program that retries on every
    exception would retry for ever.
    """
    chain = []
    link = coroutine
    while hasattr(link, "cr_frame"):
        chain.append(link)
        link = link.cr_await
    for link in reversed(chain):
        if not _closes(link):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(coroutine))
            return


def _closes(coroutine: Any) -> bool:
    for _ in range(_CLOSINGS):
        try:
            coroutine.close()
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 a dead program's exception
            pass
        if coroutine.cr_frame is None:
            return True
    return False
