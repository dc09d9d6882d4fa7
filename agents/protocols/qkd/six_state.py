"""The six-state protocol on pulse trains: bases Z, X and Y, up to the sifted key.

Bruss, PRL 81, 3018 (1998); Bechmann-Pasquinucci, Gisin, PRA 59, 4238 (1999). A third of all clicks is
sifted.

Owns its scheme. Does not own the exchange (prepared.py).
"""

from __future__ import annotations

from . import prepared

KIND = "six_state"


class SixState(prepared.Scheme):
    """As BB84, with three bases."""

    axes = "ZXY"
    hints = 3


class Sender(prepared.Sender):
    """Sends in Z, X and Y to `peer`. Options and result: see `prepared.Sender`."""

    kind, scheme = KIND, SixState()


class Receiver(prepared.Receiver):
    """Measures in Z, X and Y what `peer` sends. Options and result: see `prepared.Receiver`."""

    kind, scheme = KIND, SixState()
