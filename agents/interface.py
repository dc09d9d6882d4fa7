"""What programs and their handles ask of the node that runs them.

Owns the list of these calls, so that `Agent`, qubits and pulse trains need not know the node itself: it
provides them by the tenant that asks (node/tenants/tenant.py).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from ..emulator.wire import AnyOperation, Arrival, Welcome
from .frames import Frames
from .messages import Message
from .outside import Openings
from .storage import Storages


class NodeInterface(Protocol):
    """A node, as a program or a service on it sees it: `name` is "" for the program."""

    name: str
    slots: int
    welcome: Welcome
    rng: np.random.Generator
    log: logging.Logger
    frames: Frames

    @property
    def outsides(self) -> Openings:
        """Its openings to the outside."""

    @property
    def storages(self) -> Storages:
        """What its services keep beyond their lives."""

    def knows(self, node: str) -> bool:
        """Whether there is a node of that name in the network."""

    @property
    def now_ns(self) -> int:
        """Virtual time in ns, as this node's clock shows it."""

    @property
    def slots_in_use(self) -> int:
        """Qubits held, and slots promised to open requests, of the slots that this tenant may use."""

    def operate(self, make: Callable[[int], AnyOperation]) -> Awaitable[Any]:
        """Issue an operation; await its end. Cancelled: it is withdrawn."""

    async def obtain(self, make: Callable[[int], AnyOperation]) -> Any:
        """As `operate`, for operations that yield a qubit: a result that no await takes is discarded."""

    def has_expired(self, qubit: str) -> bool:
        """Whether the memory has discarded the qubit at its cut-off."""

    async def departure(self, qubit: str) -> bool:
        """Wait until the qubit has left its slot; whether the memory has discarded it."""

    async def hand_over(self, qubit: str, to: str) -> NodeInterface:
        """Give a qubit to another tenant, which is returned; waits for a slot of its pool."""

    def send(
        self, destination: str, body: Any, kind: str, claims: str = "", port: str | None = None
    ) -> None:
        """Send a message. `claims`: the node whose message it pretends to be; `port` None: the own one."""

    def open_port(self, port: str, type: Any, keys: Callable[[Any], Sequence[str]] | None) -> None:
        """Keep a mailbox for a port, with bodies of `type` under their keys."""

    def receive_message(
        self,
        source: str | None,
        kind: str | None,
        damaged: bool,
        where: Callable[[Message], bool] | None = None,
        port: str | None = None,
        keys: Sequence[str] = (),
    ) -> Awaitable[Message]:
        """The next message that fits; `port` None: on the own one; `keys`: under one of these."""

    def handle_messages(self, port: str, type: Any, handle: Callable[[str, Any], None]) -> None:
        """Have `handle(source, body)` called with what comes on the port and is a `type`, from now on."""

    def receive_arrival(self, source: str | None) -> Awaitable[Arrival]:
        """The next qubit that has arrived over a link."""

    async def sleep_ns(self, duration_ns: int) -> None:
        """Wait for exactly this many virtual ns."""

    def note(self, name: str, value: Any) -> None:
        """Report a value for the record."""

    def name_probe(self, name: str) -> str:
        """Reserve the metrics of a probe; returns its name in the record.

        Raises InputError when another metric has one of their names.
        """

    @property
    def services(self) -> Any:
        """The handles of the node's services."""

    @property
    def caller(self) -> str:
        """In a call of another tenant: its name."""

    def working(self) -> AbstractContextManager[None]:
        """While the block lasts this tenant's timers count as those of a program."""
