"""eavesdrop: a node stands on a link, and the ends do not know.

It stands where light enters the fibre, at either end: what an end sends comes to it at once and unharmed,
and what it sends on goes the whole way as that end's. Nothing is copied: what it does not send on is gone.
With `classical: tap` it also gets a copy of each message that enters the link; with `classical: intercept`
it gets the message itself, and nobody else does. It can send messages that pass as somebody else's.
"""

from __future__ import annotations

from ..classical.plane import Listener
from .base import Breakable, Fault


class Eavesdrop(Fault):
    """`{at: 1 s, for: 1 s, eavesdrop: alice-bob, by: eve, classical: tap}`.

    A train that has begun before goes on as it began. Of several on one link the last one gets the light.
    """

    _listener: Listener | None = None

    def begin(self, world: Breakable) -> None:
        self.hits += 1
        node = str(self.spec.parameters["by"])
        world.tap(self.target, self.spec.id, node)
        classical = self.spec.parameters.get("classical")
        if classical is not None:
            self._listener = Listener(node, classical == "intercept")
            world.classical.listen(self.target, self._listener)

    def heal(self, world: Breakable) -> None:
        world.untap(self.target, self.spec.id)
        if self._listener is not None:
            world.classical.unlisten(self.target, self._listener)
