"""What a request for entanglement ends with when it does not get its pairs.

    NetworkError
    +-- Unreachable            no link or path leads to the peer, or it does not answer
    +-- FidelityImpossible     no setting of the link or path reaches the fidelity that was asked for
    +-- DeadlinePassed         the deadline came before the last pair
    +-- Withdrawn              the other end has withdrawn the request, or lost it

A program that has asked gets one of these at its await, and all that the request held has been given back.
"""

from __future__ import annotations

from ..network_words import NetworkError

__all__ = ["DeadlinePassed", "FidelityImpossible", "NetworkError", "Unreachable", "Withdrawn"]


class Unreachable(NetworkError):
    """No link or path leads to the peer, or it has not answered."""


class FidelityImpossible(NetworkError):
    """No setting reaches the fidelity that was asked for. `asked`, and `best`: what could be had."""

    def __init__(self, peer: str, asked: float, best: float, what: str) -> None:
        self.asked, self.best = asked, best
        super().__init__(
            f"{what}: pairs of fidelity {asked:g} cannot be had, {best:.4g} at best", peer
        )


class DeadlinePassed(NetworkError):
    """The deadline has passed. `had`: how many of the `count` pairs had been handed over by then."""

    def __init__(self, peer: str, had: int, count: int) -> None:
        self.had, self.count = had, count
        super().__init__(
            f"the deadline has passed with {had} of {count} pairs with {peer} handed over", peer
        )


class Withdrawn(NetworkError):
    """The other end has withdrawn the request, or has lost its state."""
