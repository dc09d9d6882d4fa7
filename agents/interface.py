"""What programs and their handles ask of the node that runs them.

Owns the list of these calls, so that `Agent`, qubits and pulse trains need not know the node itself
(node/node.py), which provides them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import numpy as np

from ..emulator.wire import AnyOperation, Arrival, Welcome
from .frames import Frames
from .messages import Message
from .outside import Openings


class NodeInterface(Protocol):
    """A node, as the program on it sees it."""

    welcome: Welcome
    rng: np.random.Generator
    log: logging.Logger
    frames: Frames

    @property
    def outsides(self) -> Openings:
        """Its openings to the outside."""

    @property
    def now_ns(self) -> int:
        """Virtual time in ns, as this node's clock shows it."""

    @property
    def slots_in_use(self) -> int:
        """Qubits held, and slots promised to open requests."""

    def operate(self, make: Callable[[int], AnyOperation]) -> Awaitable[Any]:
        """Issue an operation; await its end. Cancelled: it is withdrawn."""

    async def obtain(self, make: Callable[[int], AnyOperation]) -> Any:
        """As `operate`, for operations that yield a qubit: a result that no await takes is discarded."""

    def has_expired(self, qubit: str) -> bool:
        """Whether the memory has discarded the qubit at its cut-off."""

    async def departure(self, qubit: str) -> bool:
        """Wait until the qubit has left its slot; whether the memory has discarded it."""

    def send(self, destination: str, body: Any, kind: str, claims: str = "") -> None:
        """Send a message. `claims`: the node whose message it pretends to be."""

    def receive_message(
        self,
        source: str | None,
        kind: str | None,
        damaged: bool,
        where: Callable[[Message], bool] | None = None,
    ) -> Awaitable[Message]:
        """The next message that fits."""

    def receive_arrival(self, source: str | None) -> Awaitable[Arrival]:
        """The next qubit that has arrived over a link."""

    async def sleep_ns(self, duration_ns: int) -> None:
        """Wait for exactly this many virtual ns."""

    def note(self, name: str, value: Any) -> None:
        """Report a value for the record."""

    def name_probe(self, name: str) -> None:
        """Reserve the metrics of a probe. Raises InputError when another metric has one of their names."""
