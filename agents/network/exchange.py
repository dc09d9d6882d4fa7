"""How messages of the network layer get from node to node, and in which order a node handles them.

Owns the two ports, the channels to other nodes, and the time that each message takes. Does not own what is
said (control.py).

Rules: signals travel by a channel to each peer; data are sent bare. A node handles one message after the
other, each for as long as its `processing` says; nothing that comes later is handled before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from ...emulator.errors import MessageError
from .channel import Channel, Life
from .control import Datum, Hello, Packet, Signal

if TYPE_CHECKING:
    from .network_layer import Network

#: Repetitions of a message without an answer, before the peer is given up.
_TRIES = 8
#: Before the first repetition, beside four latencies of the link; to a node that is no neighbour.
_REPEAT_S, _REPEAT_FAR_S = 2e-3, 50e-3


class Exchange:
    """Of one node. `on_signal(peer, signal)` and `on_datum(peer, datum)` handle what comes."""

    def __init__(
        self,
        service: Network,
        processing_ns: int,
        on_signal: Callable[[str, Signal], None],
        on_datum: Callable[[str, Datum], None],
    ) -> None:
        self._service, self._processing_ns = service, processing_ns
        self._on_signal, self._on_datum = on_signal, on_datum
        self._signals = service.port("control", type=Packet)
        self._data = service.port("data", type=Datum)
        self._channels: dict[str, Channel] = {}
        #: Until when the node is busy with what has come.
        self._busy_ns = 0

    def tell(self, peer: str, datum: Datum) -> None:
        """Send a bare message."""
        self._service.node.send(peer, datum, "", port=self._data.name)

    def post(self, peer: str, signal: Signal | Raw) -> None:
        """Say something over a channel; `Raw`: a signal that is encoded already."""
        self.channel(peer).post(signal)

    def channel(self, peer: str) -> Channel:
        """The channel to a node."""
        found = self._channels.get(peer)
        if found is not None:
            return found
        service = self._service
        near = [info for info in service.knowledge.links.values() if info.peer == peer]
        repeat_s = 4e-9 * near[0].latency_ns + _REPEAT_S if near else _REPEAT_FAR_S
        repeat_s += 4e-9 * self._processing_ns

        def send(number: int, acknowledged: int, life: int, to: Life, item: Any) -> None:
            packet = Packet(number, acknowledged, life, to, item)
            service.node.send(peer, packet, "", port=self._signals.name)

        def deliver(signal: Any) -> None:
            self._process(self._on_signal, peer, signal)

        def lost(why: str) -> None:
            service.peer_lost(peer, why)

        first = service.knowledge.pass_on
        channel = Channel(service.incarnation, send, deliver, lost, repeat_s, _TRIES, first=first)
        self._channels[peer] = channel
        return channel

    async def receive_signals(self) -> None:
        """Take what comes by channels."""
        while True:
            try:
                message = await self._signals.receive()
            except MessageError:
                continue  # no message of a network layer
            packet, source = message.body, message.source
            self._service.heard(source)
            self.channel(source).receive(
                message.incarnation,
                packet.life,
                packet.number,
                packet.acknowledged,
                (packet.to[0], packet.to[1]),
                packet.item,
            )

    def receive_data(self) -> None:
        """Take what comes bare, from now on."""
        self._service.node.handle_messages(self._data.name, Datum, self._on_bare)

    def _on_bare(self, source: str, datum: Datum) -> None:
        self._service.heard(source)
        if type(datum) is Hello:
            return  # says no more than that
        if self._processing_ns:
            self._process(self._on_datum, source, datum)
        else:
            self._on_datum(source, datum)

    def _process(self, handle: Callable[[str, Any], None], peer: str, message: Any) -> None:
        """Handle a message, once all before it have had their time."""
        if not self._processing_ns:
            handle(peer, message)
            return
        now_ns = self._service.now_ns
        self._busy_ns = max(self._busy_ns, now_ns) + self._processing_ns
        loop, delay_s = asyncio.get_running_loop(), (self._busy_ns - now_ns) * 1e-9
        loop.call_later(delay_s, handle, peer, message, context=self._service.context)
