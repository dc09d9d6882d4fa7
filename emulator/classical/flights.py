"""Messages on their way.

Owns the records: a message that was sent (`Sent`) and each copy of it in flight (`Flight`). Does not own
when each arrives (plane.py), its route (routes.py) or what a fault may say of one (faults/verdicts.py).

Rule: a message has one flight unless a fault makes a copy or an eavesdropper listens; its payload is kept
until the last flight has ended. Copies count from 0, in the order in which they were made.
"""

from __future__ import annotations

from ..wire import Send


class Sent:
    """A message that was sent: what its flights have in common."""

    __slots__ = (
        "claims",
        "copies",
        "flights",
        "hash",
        "inc",
        "kind",
        "port",
        "receivers",
        "sent_ns",
        "seq",
        "service",
        "size",
        "src",
    )

    def __init__(self, src: str, inc: int, send: Send, sent_ns: int, service: str = "") -> None:
        self.src, self.inc, self.seq = src, inc, send.seq
        self.kind, self.size, self.hash = send.kind, send.size, send.hash
        self.claims, self.port = send.claims, send.port
        self.sent_ns, self.service = sent_ns, service
        #: Copies made so far, and flights that have not ended, in the order in which they were made.
        self.copies = 0
        self.flights: list[Flight] = []
        #: The nodes that get a copy unless it is lost.
        self.receivers: dict[str, None] = {}


class Flight:
    """One copy of a message, on its way to `to`, which is `dst` unless an eavesdropper gets it.

    `to_inc` is the incarnation of `to` that it is bound to; None: no incarnation will take it.
    """

    __slots__ = ("copy", "damage", "dst", "sent", "to", "to_inc")

    def __init__(
        self, sent: Sent, dst: str, to: str, to_inc: int | None, damage: tuple[int, ...] = ()
    ) -> None:
        self.sent, self.dst, self.to, self.to_inc = sent, dst, to, to_inc
        self.damage = damage
        self.copy = sent.copies
        sent.copies += 1
        sent.flights.append(self)
        sent.receivers[to] = None

    @property
    def size(self) -> int:
        """Bytes of its body."""
        return self.sent.size

    @property
    def service(self) -> str:
        """The service that has sent it; "" for a program."""
        return self.sent.service

    @property
    def order(self) -> tuple[str, int, int, int]:
        """Its place among those that come to a node at one instant."""
        sent = self.sent
        return sent.src, sent.inc, sent.seq, self.copy
