"""Efficient BB84 on pulse trains: one basis is used much more often than the other.

Lo, Chau, Ardehali, J. Cryptology 18, 133 (2005). With Z chosen with probability z at both ends, z^2 + (1 -
z)^2 of all clicks are sifted; errors are counted by basis, since their average would hide an eavesdropper
who measures in the frequent one.

Owns its scheme and the option `z`. Does not own the exchange (prepared.py).
"""

from __future__ import annotations

from typing import Any

from ....emulator.errors import ProgramError
from ..session import TRIES
from . import prepared
from .processing.distillation import Distillation

KIND = "efficient_bb84"
Z = 0.9


class EfficientBB84(prepared.Scheme):
    """BB84 with Z in a share `z` of the slots. Raises ProgramError for what leaves a basis out."""

    def __init__(self, z: float) -> None:
        if not 0 < z < 1:
            raise ProgramError(f"z must be above 0 and below 1, not {z}")
        self.weights = (z, 1 - z)


class Sender(prepared.Sender):
    """Prepares `pulses` slots for `peer`, in Z with probability `z`; compares `sample` of the sifted bits.

    The receiver's `z` must be the same. All else as in `prepared.Sender`: `lazy`, and what it returns.
    """

    kind = KIND

    async def run(
        self,
        peer: str,
        pulses: int = 1_000_000,
        sample: float = 0.5,
        link: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
        lazy: bool = False,
        distil: Distillation | None = None,
        z: float = Z,
    ) -> dict[str, Any]:
        self.scheme = EfficientBB84(z)
        return await super().run(peer, pulses, sample, link, timeout, tries, lazy, distil)


class Receiver(prepared.Receiver):
    """Detects the train of `peer`, in Z with probability `z`. Returns as the sender does."""

    kind = KIND

    async def run(
        self,
        peer: str,
        link: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
        lazy: bool = False,
        distil: Distillation | None = None,
        z: float = Z,
    ) -> dict[str, Any]:
        self.scheme = EfficientBB84(z)
        return await super().run(peer, link, timeout, tries, lazy, distil)
