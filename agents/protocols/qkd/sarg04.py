"""SARG04 on pulse trains: the states of BB84, of which pairs that are not orthogonal are announced.

Scarani, Acin, Ribordy, Gisin, PRL 92, 057901 (2004). For each click the sender announces the state that it
sent and one of the other basis, in no order; a click counts if it excludes one of them. As in B92, (1 +
p)/4 of all clicks count behind a depolarising channel of probability p, with a QBER of p/(1 + p); who keeps
one photon of a pulse of two learns no bit for sure from what is announced.

Owns its scheme. Does not own the exchange (prepared.py).
"""

from __future__ import annotations

import numpy as np

from . import prepared
from .sifting import Bytes

KIND = "sarg04"


class Sarg04(prepared.Exclusion):
    """The bit of the state that was not sent is drawn when it is announced."""

    def hint(self, bases: Bytes, bits: Bytes, rng: np.random.Generator) -> Bytes:
        other = rng.integers(0, 2, len(bits), dtype=np.uint8)
        in_z, in_x = np.where(bases == 0, bits, other), np.where(bases == 0, other, bits)
        hints: Bytes = in_z + 2 * in_x
        return hints


class Sender(prepared.Sender):
    """Sends the states of BB84 to `peer`. Options and result: see `prepared.Sender`."""

    kind, scheme = KIND, Sarg04()


class Receiver(prepared.Receiver):
    """Measures in Z or X what `peer` sends. Options and result: see `prepared.Receiver`."""

    kind, scheme = KIND, Sarg04()
