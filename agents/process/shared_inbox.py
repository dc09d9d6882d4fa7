"""The connection of a worker to the broker: the inboxes of all its nodes, on one line.

Owns how the nodes' messages share an `Inbox` (mqtt.py): what any client sees of them, topics and payloads, is
as if each node had a connection of its own. Rule: a message between two nodes of one worker takes the way
through the broker, too, so that it meets what any other does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .mqtt import Inbox, Payload, inbox_topic
from .settings import WorkerSettings


class SharedInbox(Inbox):
    """The subscriptions of a worker's nodes, and everything that they publish."""

    def __init__(
        self,
        settings: WorkerSettings,
        deliver: Callable[[str, list[Payload]], None],
        reconnected: Callable[[], None],
        awaited: Callable[[], bool],
    ) -> None:
        """`deliver(node, payloads)` gets what has come for a node; the others as of `Inbox`."""
        super().__init__(
            settings.broker,
            settings.run_id,
            "",
            settings.client_id,
            self._sort,
            reconnected,
            awaited,
        )
        self._nodes: Sequence[str] = settings.nodes
        self._deliver_to = deliver
        #: What has come for nodes that have not looked.
        self._unread: dict[str, list[Payload]] = {}

    def publish_from(self, source: str, messages: list[Payload]) -> None:
        """As `Inbox.publish`, for one of the nodes."""
        self.publish([(f"{destination}/{source}", payload) for destination, payload in messages])

    def look_for(self, node: str) -> list[Payload]:
        """As `Inbox.look`, for one of the nodes."""
        self._gather(self.look())
        return self._unread.pop(node, [])

    def hand_out(self) -> None:
        """Deliver what has come while a node looked for its own."""
        unread, self._unread = self._unread, {}
        for node, payloads in unread.items():
            self._deliver_to(node, payloads)

    def _sort(self, payloads: list[Payload]) -> None:
        self._gather(payloads)
        self.hand_out()

    def _gather(self, payloads: list[Payload]) -> None:
        for origin, payload in payloads:
            destination, _, source = origin.partition("/")
            self._unread.setdefault(destination, []).append((source, payload))

    # Where an inbox of one node has the other end of a message, this has both.

    def _inboxes(self) -> list[str]:
        return [inbox_topic(self._run_id, node, "+") for node in self._nodes]

    def _outbox(self, destination: str) -> str:
        to, _, source = destination.partition("/")
        return inbox_topic(self._run_id, to, source)

    def _origin(self, topic: bytes) -> str:
        *_, destination, _, source = topic.decode(errors="replace").rsplit("/", 3)
        return f"{destination}/{source}"
