"""B92 on pulse trains: two states that are not orthogonal, |0> and |+>, up to the sifted key.

Bennett, PRL 68, 3121 (1992). The receiver measures in Z or X; what excludes one of the two states counts, a
quarter of all clicks: (1 + p)/4 behind a depolarising channel of probability p, with a QBER of p/(1 + p).

Owns its scheme. Does not own the exchange (prepared.py).
"""

from __future__ import annotations

import numpy as np

from . import prepared
from .sifting import Bytes

KIND = "b92"


class B92(prepared.Exclusion):
    """Basis 0 is the state |0>, basis 1 the state |+>: nothing has to be announced."""

    bit = 0
    hints = 1

    def hint(self, bases: Bytes, bits: Bytes, rng: np.random.Generator) -> Bytes:
        del bits, rng
        return np.zeros_like(bases)


class Sender(prepared.Sender):
    """Sends |0> or |+> to `peer`. Options and result: see `prepared.Sender`."""

    kind, scheme = KIND, B92()


class Receiver(prepared.Receiver):
    """Measures in Z or X what `peer` sends. Options and result: see `prepared.Receiver`."""

    kind, scheme = KIND, B92()
