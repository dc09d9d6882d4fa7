"""compromise: from now on an eavesdropper knows all keys of a node, and the node does not know it.

It knows whatever the node holds then, and whatever comes to it later: keys in its store, and keys that pass
it as a trusted relay. The node works on as before, and nothing in the run changes: what is known to the
eavesdropper is worked out from the record (qnetem/keys/reach.py).
"""

from __future__ import annotations

from ...base import Breakable, Fault, FaultKind


class Compromise(Fault):
    """`{at: 10 s, compromise: r1}`; nothing heals it."""

    #: Not drawn by campaigns: it changes nothing that a run could show.
    kind = FaultKind("compromise", "process", "node", lasting=False, random=False)

    def begin(self, world: Breakable) -> None:
        del world
        self.hits += 1
