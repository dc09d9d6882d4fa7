"""What every fault is: something that begins, and may end healed.

Owns the shape only. A fault is given the world as `Breakable`: the few things a fault may do to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from numpy.random import Generator

from ..channels.classical import ClassicalPlane
from ..topology.model import FaultSpec


class Breakable(Protocol):
    """The world, as a fault sees it."""

    classical: ClassicalPlane

    def cut_quantum(self, link: str, cut: bool) -> None:
        """Cut or heal the quantum side of a link (cuts nest)."""

    def kill(self, node: str, restart_ns: int | None) -> None:
        """Settle, SIGKILL, and start again `restart_ns` later (None: never)."""


class Fault(ABC):
    """One fault of the schedule. `rng` is its own generator; `spec.parameters` are checked already."""

    def __init__(self, spec: FaultSpec, rng: Generator) -> None:
        self.spec = spec
        self.rng = rng

    @abstractmethod
    def begin(self, world: Breakable) -> None:
        """Break it."""

    def heal(self, world: Breakable) -> None:  # noqa: B027 -- optional: a kill has nothing to mend
        """Mend it; called once, at the end of `for`."""
