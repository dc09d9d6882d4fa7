"""The barrier: what must happen outside before virtual time may go on.

Owns the set of awaited answers and the one thing to do when the last has come. Does not know what an
answer means. While anything is awaited, no instant is entered and no phase goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

#: hello: a process has subscribed; have: a receiver holds all payloads; exit: a process is reaped;
#: waits: a parked node has said what it waits for.
Answer = Literal["hello", "have", "exit", "waits"]


class Barrier:
    """Answers awaited from outside: time stands while `awaited` is not empty."""

    def __init__(self) -> None:
        self.awaited: dict[tuple[Answer, str], None] = {}
        self._then: Callable[[], None] | None = None

    def awaits(self, kind: Answer, node: str) -> bool:
        """Whether this node's answer is awaited."""
        return (kind, node) in self.awaited

    def add(self, kind: Answer, node: str) -> None:
        """Time stands until this node has answered."""
        self.awaited[kind, node] = None

    def afterwards(self, then: Callable[[], None]) -> None:
        """Do `then` once nothing is awaited: at once, if nothing is. `then` may await anew."""
        if self.awaited:
            self._then = then
        else:
            then()

    def passed(self, kind: Answer, node: str) -> bool:
        """An answer has come; whether it was the last, so that time may go on unless `then` awaits anew.

        An answer that nobody awaits is ignored.
        """
        if (kind, node) not in self.awaited:
            return False
        del self.awaited[kind, node]
        if self.awaited:
            return False
        then, self._then = self._then, None
        if then is not None:
            then()
        return True

    def silent(self) -> list[str]:
        """The nodes whose program must answer now (not their processes' births and deaths)."""
        return [node for kind, node in self.awaited if kind in ("have", "waits")]

    def missing(self) -> list[tuple[Answer, str]]:
        """The processes whose birth (hello) or death (exit) is awaited now."""
        return [awaited for awaited in self.awaited if awaited[0] in ("hello", "exit")]
