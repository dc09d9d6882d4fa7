"""Service: what lives beside a program on a node, in the same process, and outlives it.

Owns the class that services subclass, and which of its words others may call. Does not own how a call is made
(node/tenants/handles.py) nor when a service starts and ends (node/tenants/tenants.py).

    class Ticker(Service):
        async def run(self, period: Seconds = 0.01) -> None:
            self.ticks = 0
            while True:
                await asyncio.sleep(period)
                self.ticks += 1

        @offered
        def count(self) -> int:
            return self.ticks

A program on the node says `self.services.ticker.count()`, or `self.service(Ticker).count()` with types.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar, TypeVar

from .agent import Agent
from .storage import OpenStore, Storage

F = TypeVar("F", bound=Callable[..., Any])


def offered(method: F) -> F:
    """Mark a method of a service (or the function of a property) that other tenants may call.

    It may be a plain function, a coroutine or an async generator.
    """
    method.__offered__ = True  # type: ignore[attr-defined]
    return method


def is_offered(kind: type, word: str) -> bool:
    """Whether a class offers the word."""
    found = inspect.getattr_static(kind, word, None)
    function = found.fget if isinstance(found, property) else found
    return getattr(function, "__offered__", False) is True


class Service(Agent):
    """A service of a node. It has all the words of an Agent, on a port, a generator and slots of its own.

    The arguments of `run` are the YAML's `with`. `run` may be left out, and may return: the service ends with
    the run, not with `run`. In the run's last step `run` and all tasks are cancelled, and may clean up.
    """

    #: The option that names another node with which it works, if that needs a service of the same name there.
    other_end: ClassVar[str] = ""

    async def run(self) -> None:
        """What the service does by itself; by default nothing."""

    @property
    def caller(self) -> str:
        """In an offered method: who calls. "" is the program, else the name of a service."""
        return self._node.caller

    def expired(self, qubits: frozenset[str]) -> None:
        """The node's memory has discarded these at its cut-off; called at that very instant."""

    def waits(self) -> list[tuple[str, str, int, str]]:
        """What `qnetem inspect` shows of it beside its tasks: (name, what is waited for, since ns, peer)."""
        return []

    def working(self) -> AbstractContextManager[None]:
        """For as long as the block lasts, this service's timers may lead a program on.

        Without it they are background: a run whose programs wait, and in which nothing but background has
        happened for a while, is stuck. In a call of a program that is understood.
        """
        return self._node.working()

    def storage(self, open_store: OpenStore, *args: Any) -> Storage:
        """Open the store of this service: `open_store(place, *args)` makes its half in the shell.

        `storage.content` is what it holds, `storage.change(...)` has something stored at the end of the step.
        See agents/storage.py.
        """
        return Storage(self._node.storages, self.tenant, open_store, args)
