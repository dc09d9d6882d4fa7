"""Whether neighbours are there: hellos, and how long one may be silent.

Owns who counts as there. Does not own what follows when one goes or comes (network_layer.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Neighbours:
    """`changed(peer, is_there)` is called when one goes or comes. All are taken to be there at first."""

    def __init__(
        self,
        peers: Iterable[str],
        now_ns: int,
        silence_ns: int,
        changed: Callable[[str, bool], None],
    ) -> None:
        self._silence_ns, self._changed = silence_ns, changed
        self._heard_ns = dict.fromkeys(peers, now_ns)
        self._gone: set[str] = set()

    def is_there(self, peer: str) -> bool:
        """Whether it has been heard of lately."""
        return peer not in self._gone

    def heard(self, peer: str, now_ns: int) -> None:
        """Something has come from it."""
        if peer in self._heard_ns:
            self._heard_ns[peer] = now_ns
            if peer in self._gone:
                self._gone.remove(peer)
                self._changed(peer, True)

    def lost(self, peer: str) -> None:
        """It does not answer."""
        if peer in self._heard_ns and peer not in self._gone:
            self._gone.add(peer)
            self._changed(peer, False)

    def look(self, now_ns: int) -> None:
        """Who has been silent for too long?"""
        for peer, heard_ns in self._heard_ns.items():
            if now_ns - heard_ns > self._silence_ns:
                self.lost(peer)
