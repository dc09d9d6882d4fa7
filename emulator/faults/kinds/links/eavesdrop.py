"""eavesdrop: a node stands on a link, and the ends do not know.

It stands where light enters the fibre, at either end: what an end sends comes to it at once and unharmed,
and what it sends on goes the whole way as that end's. Nothing is copied: what it does not send on is gone.
With `classical: tap` it also gets a copy of each message that enters the link; with `classical: intercept`
it gets the message itself, and the receiver does not. It can send messages that pass as another node's. With
`lossless: true` it has replaced the fibre by one that loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...base import NO_PARAMETERS, Breakable, Fault, FaultKind, Parameter, missing_plane
from ...changes import Changes
from ...verdicts import Listener

if TYPE_CHECKING:
    from ....topology.model.faults import Value
    from ....topology.model.topology import Topology


class Eavesdrop(Fault):
    """`{at: 1 s, for: 1 s, eavesdrop: alice-bob, by: eve, classical: tap}`.

    A train that has begun before ends as it began. Of several on one link the last one gets the light.
    """

    kind = FaultKind(
        "eavesdrop",
        "quantum",
        "link",
        lasting=True,
        parameters={
            "by": Parameter("node", required=True, words=("eavesdropper",)),
            "classical": Parameter("word", words=("tap", "intercept")),
            "lossless": Parameter("flag"),
        },
        random=False,
    )

    @classmethod
    def misfit(
        cls, topology: Topology, target: str, parameters: Mapping[str, Value] = NO_PARAMETERS
    ) -> str | None:
        """Messages alone may be listened to; of heralded pairs an eavesdropper gets nothing."""
        link, ask = topology.links[target], "expected 'classical: tap' or 'intercept'"
        if parameters.get("by") in link.ends:
            return f"{parameters['by']} is an end of {target}"
        if parameters.get("classical") is not None:
            problem = missing_plane(link, "classical")
            if problem is not None or not parameters.get("lossless"):
                return problem
        if link.quantum is None:
            return f"{target} has no quantum side: {ask} for its messages"
        if link.quantum.entangle is not None:
            return (
                f"{target} heralds pairs, of which an eavesdropper gets nothing: {ask} for its messages, "
                "or a link without 'entangle'"
            )
        return None

    _listener: Listener | None = None

    def begin(self, world: Breakable) -> None:
        self.hits += 1
        node = str(self.spec.parameters["by"])
        world.tap(self.target, self.spec.id, node)
        if self.number("lossless"):
            world.quantum.fault_histories.links[self.target].begin(self, Changes(lossless=True))
        classical = self.spec.parameters.get("classical")
        if classical is not None:
            self._listener = Listener(node, classical == "intercept")
            world.classical.listen(self.target, self._listener)

    def heal(self, world: Breakable) -> None:
        world.untap(self.target, self.spec.id)
        if self.number("lossless"):
            world.quantum.fault_histories.links[self.target].end(self)
        if self._listener is not None:
            world.classical.unlisten(self.target, self._listener)
