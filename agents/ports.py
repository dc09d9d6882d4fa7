"""Port: a mailbox apart from that of a program or service, for one protocol.

Owns what a program says to it; the node keeps the mailbox. A program's own mailbox is the port "", a
service's the one of its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..emulator.errors import MessageError
from .messages import Message

if TYPE_CHECKING:
    from .interface import NodeInterface


class Port:
    """A port, from `self.port(name)`. `name` is its name on the network, the same at both ends."""

    __slots__ = ("_node", "_type", "name")

    def __init__(
        self,
        node: NodeInterface,
        name: str,
        type: Any = None,
        keys: Callable[[Any], Sequence[str]] | None = None,
    ) -> None:
        self._node, self.name, self._type = node, name, type
        node.open_port(name, type, keys)

    async def send(self, destination: str, body: Any = None, *, kind: str = "") -> None:
        """Send a message to this port of another node; as `Agent.send`."""
        self._node.send(destination, body, kind, port=self.name)

    async def receive(
        self,
        source: str | None = None,
        *,
        kind: str | None = None,
        type: Any = None,
        where: Callable[[Any], bool] | None = None,
        key: str | None = None,
        keys: Sequence[str] = (),
        damaged: bool = False,
    ) -> Message:
        """The next message on this port; as `Agent.receive`.

        `type`: the port's own if it is not given. `key` or `keys`: only messages that lie under one of these;
        no other message is looked at.
        """
        wanted = self._type if type is None else type
        condition = None if where is None else of_body(where, wanted)
        named = keys if key is None else (key, *keys)
        message = await self._node.receive_message(
            source, kind, damaged, condition, self.name, named
        )
        return message.read(wanted)

    def __repr__(self) -> str:
        return f"<Port {self.name}>"


def of_body(where: Callable[[Any], bool], type: Any) -> Callable[[Message], bool]:
    """`where` as a condition on messages: on the body as `type`, false if it is none."""

    def fits(message: Message) -> bool:
        try:
            return where(message.read(type).body)
        except MessageError:
            return False

    return fits
