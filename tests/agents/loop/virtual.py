"""Drives a VirtualLoop the way a node does: to the next timer, and the next, until nothing is left."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from qnetem.agents.loop.tasks import task_stack
from qnetem.agents.loop.virtual_loop import VirtualLoop


def drain(loop: VirtualLoop, until_ns: int = 10**15) -> None:
    """Step the loop to each of its timers in turn, up to `until_ns`."""
    next_ns: int | None = loop.now_ns
    while next_ns is not None and next_ns <= until_ns:
        next_ns = loop.step(next_ns)


def run(program: Coroutine[Any, Any, Any], loop: VirtualLoop | None = None) -> Any:
    """Run a program to its end on virtual time and return its result."""
    loop = loop or VirtualLoop("alice")
    task = loop.create_task(program)
    drain(loop)
    assert task.done(), [str(task_stack(each)) for each in loop.tasks()]
    return task.result()
