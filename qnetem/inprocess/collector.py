"""The garbage collector beside a run: what the start has made is not looked through again.

Owns when it is paused and what it leaves alone. A network of thousands of nodes is millions of objects that
live as long as the run; each full collection would look through all of them. In an instant of such a network
there is a grant and a report for each node, and all are kept until it is over: a collection in the middle
would look through them for nothing. So it comes when as much has been made as some instants make.

Rules: after the last of the runs in this process the collector is as it was before the first one. Where the
process had frozen something itself (a worker of a sweep), nothing is frozen and nothing is thawed here.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

from ..agents.loop.finalizers import no_collection

#: Objects more than have been freed, after which the collector looks: so many for each node, and at least.
_EACH_NODE, _LEAST = 64, 10_000
#: Runs under way that have what was made before them frozen.
_runs = 0


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """No collection; what has been made meanwhile, and before, is left alone from then on (`start_kept`)."""
    try:
        with no_collection():
            yield
    finally:
        if _runs:
            gc.freeze()


@contextlib.contextmanager
def patient(nodes: int) -> Iterator[None]:
    """A run of so many nodes: the collector looks when several instants have left something behind."""
    before = gc.get_threshold()
    if before[0]:  # not where it is off
        gc.set_threshold(max(before[0], _LEAST, _EACH_NODE * nodes), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextlib.contextmanager
def start_kept() -> Iterator[None]:
    """A run: what its start has made is collected after its end."""
    global _runs  # noqa: PLW0603 there is one collector in a process
    if not _runs and gc.get_freeze_count():
        yield
        return
    _runs += 1
    try:
        yield
    finally:
        _runs -= 1
        if not _runs:
            gc.unfreeze()
