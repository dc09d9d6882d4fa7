"""What programs say to the network, and what they get: the words of `self.network`.

Owns their signatures, the types of what comes back, and the root of the errors (network/errors.py has the
others). Does not own the service that has them (network/network_layer.py).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..emulator.errors import QnetemError
from .qubits import Axis, Pair

Duration = str | float | None


class NetworkError(QnetemError):
    """A request for entanglement has failed. `peer`: the node at the other end."""

    exit_code: ClassVar[int] = 1

    def __init__(self, problem: str, peer: str = "") -> None:
        self.peer = peer
        super().__init__(problem)


class NetworkPair(Pair):
    """A pair from end to end, at one of its ends: a `Pair`, and which one it is.

    Attributes:
        request: the request's id, alike at both ends.
        number: the pair's number on the first hop of its circuit, alike at both ends.
        purpose: what the request is for.
        fidelity: what the network expects it to have when both ends have heard of it.
    """

    __slots__ = ("fidelity", "number", "purpose", "request")

    def __init__(
        self, half: Pair, id: str, peer: str, request: str, number: int, purpose: str,
        fidelity: float,
    ) -> None:  # fmt: skip
        super().__init__(
            half._node, id, peer, half.link, half.qubit, half.emitted_ns, fidelity, half.bell
        )
        self.request, self.number = request, number
        self.purpose, self.fidelity = purpose, fidelity

    def __repr__(self) -> str:
        return f"<NetworkPair {self.id} with {self.peer}>"


@dataclass(frozen=True)
class NetworkOutcomes:
    """What one end has measured of a request; row by row alike at both ends.

    Attributes:
        request: the request's id, alike at both ends.
        purpose: what it is for.
        names: of each pair its name, alike at both ends.
        bases: of each pair the index of the axis it was measured along at this end.
        bits: of each pair the outcome at this end.
    """

    request: str
    purpose: str
    names: list[str]
    bases: NDArray[np.uint8]
    bits: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.bits)


class NetworkWords:
    """The words of `self.network`."""

    def pairs(
        self,
        peer: str,
        count: int = 1,
        *,
        min_fidelity: float = 0.0,
        deadline: Duration = None,
        priority: int = 0,
        purpose: str | None = None,
        cutoff: Duration = None,
    ) -> AsyncGenerator[NetworkPair, None]:
        """Ask for pairs with any node, whose program takes the other halves by `arriving`.

        `min_fidelity`: what each is expected to have when both ends have heard of it; paths and links are
        chosen for that. `deadline`: for all of them, from now. `priority`: on each link higher ones are
        served first. `purpose`: both ends' word for the use. `cutoff`: no repeater joins a half that is
        older.

        Raises Unreachable, FidelityImpossible, DeadlinePassed, InputError. Leaving the loop withdraws the
        rest.
        """
        raise NotImplementedError

    def arriving(
        self, peer: str, *, purpose: str | None = None, count: int | None = None
    ) -> AsyncGenerator[NetworkPair, None]:
        """The pairs that a node asks for with this one, for this purpose: all of them, or `count`."""
        raise NotImplementedError

    async def outcomes(
        self,
        peer: str,
        count: int,
        *,
        axes: Sequence[Axis] = ("Z",),
        weights: Sequence[float] | None = None,
        bases: Sequence[int] | None = None,
        peer_bases: Sequence[int] | None = None,
        min_fidelity: float = 0.0,
        deadline: Duration = None,
        priority: int = 0,
        purpose: str | None = None,
    ) -> NetworkOutcomes:
        """Ask for pairs that both ends measure as soon as they hear of them; returns the outcomes here.

        Each end draws a basis for each pair, among `axes` with `weights`; `bases` and `peer_bases` give
        indices of axes, pair by pair, instead. The other end has its outcomes by `outcomes_with`. Raises as
        `pairs`.
        """
        raise NotImplementedError

    async def outcomes_with(self, peer: str, *, purpose: str | None = None) -> NetworkOutcomes:
        """The outcomes here of the next request of a node that is measured."""
        raise NotImplementedError
