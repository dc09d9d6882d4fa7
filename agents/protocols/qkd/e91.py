"""E91: entangled pairs, a key from equal angles and Bell's inequality from the others.

Ekert, PRL 67, 661 (1991); Clauser, Horne, Shimony, Holt, PRL 23, 880 (1969). On the Bloch sphere Alice
measures along 0, 45 and 90 degrees from Z towards X, Bob along 45, 90 and 135. Of all coincidences 2/9 have
equal angles and are sifted; 4/9 are of the four combinations of S, all of them compared in public: 2
sqrt(2) V for pairs of visibility V, at most 2 for anything local.

Owns its angles, what is announced of coincidences, and S. Does not own the exchange of a train or of heralded
pairs (bbm92.py), or sifting (sifting.py). Bob announces his clicks with their angles, Alice which of them are
coincidences, hers, and what is compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....emulator.wire.bit_planes import packed, planes_for, unpacked
from ...pulses.trains import Clicks
from ..session import CONFIRMED, Initiator, Responder
from ..session_messages import SessionMessage
from . import bbm92
from .bbm92 import plane_of
from .coincidences import Choice, heard
from .heralded import MeasuredPairs
from .processing.distillation import Distiller
from .sifting import (
    Bytes,
    Marks,
    compare,
    compare_as_receiver,
    marks,
    rate,
)

#: Degrees from Z towards X, on the Bloch sphere.
ALICE_DEG, BOB_DEG = (0, 45, 90), (45, 90, 135)
ANGLES = 3
#: (Alice's, Bob's) numbers of angles: with their signs in S, and those that are equal.
_TESTED = {(0, 0): 1, (0, 2): -1, (2, 0): 1, (2, 2): 1}
_EQUAL = ((1, 0), (2, 1))


def axes_of(degrees: tuple[int, ...]) -> list[tuple[float, float, float]]:
    """Bloch vectors at these angles."""
    return [(math.sin(angle), 0.0, math.cos(angle)) for angle in map(math.radians, degrees)]


def _among(ours: Bytes, theirs: Bytes, combinations: Any) -> Marks:
    """Where the angles of Alice and Bob are one of these combinations."""
    found = np.zeros(len(ours), dtype=bool)
    for first, second in combinations:
        found |= (ours == first) & (theirs == second)
    return found


class Angles(SessionMessage, tag="angles"):
    """Alice -> Bob: which of his clicks are coincidences; for each of those her angle, and is it compared.

    `clicks`, `slots`, `lasts_ns` and `width` as for `bbm92.Coincident`.
    """

    coincident: bytes
    angles: bytes
    compared: bytes
    clicks: int
    slots: int
    lasts_ns: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Exchange(bbm92.Exchange):
    """As BBM92's; `bases` are Alice's angles, `theirs` Bob's."""

    theirs: Bytes

    def correlation(self, first: int, second: int) -> float | None:
        """<ab> of the compared coincidences at these angles; None without any."""
        here = _among(self.bases, self.theirs, [(first, second)])
        counts = self.errors(here)
        wrong = rate(counts["errors"], counts["compared"])
        return None if wrong is None else 1 - 2 * wrong

    def chsh(self) -> float | None:
        """S of the four combinations; None while one of them lacks coincidences."""
        found = 0.0
        for (first, second), sign in _TESTED.items():
            value = self.correlation(first, second)
            if value is None:
                return None
            found += sign * value
        return found

    def summary(self) -> dict[str, Any]:
        """As BBM92's without bases; `s`, and how many coincidences it is made of, `tested`."""
        found = super().summary()
        del found["by_basis"]
        counts = self.errors(self.agree)
        return {
            **found,
            **counts,
            "qber": rate(counts["errors"], counts["compared"]),
            "s": self.chsh(),
            "tested": int(_among(self.bases, self.theirs, _TESTED).sum()),
        }


class Source(bbm92.Source):
    """Sends `slots` slots of pairs to `alice` and `bob` when Alice requests it, or for a `duration`.

    Returns their number.
    """


class Alice(bbm92.Alice):
    """Detects what `source` sends, and sifts with `peer`; compares `sample` of the key's bits.

    Options are those of `bbm92.Alice`. Returns counts (`slots`, `singles`, `coincidences`, `sifted`,
    `compared`, `errors`, `kept`), `gain`, `sifted_hz`, `qber`, `car` (coincidences to accidental ones), `s`
    (CHSH) of `tested` coincidences, `status`, `session`.
    """

    axes = axes_of(ALICE_DEG)

    async def _sift(
        self,
        clicks: Clicks | MeasuredPairs,
        choice: Choice,
        end: Distiller | None,
        session: Initiator,
    ) -> Exchange:
        del end  # refused: there is no bound for these axes
        slots, angles = await heard(clicks, session, ANGLES)
        width, ours, theirs = choice.coincidences(clicks, slots)
        bits, bases, their_bases = clicks.bits[ours], clicks.bases[ours], angles[theirs]
        agree = _among(bases, their_bases, _EQUAL)
        tested = _among(bases, their_bases, _TESTED)
        compared = tested | (agree & (self.rng.random(len(ours)) < choice.sample))
        announcement = Angles(
            plane_of(len(slots), theirs),
            packed(bases, planes_for(ANGLES)),
            packed(compared),
            len(clicks),
            clicks.seen,
            clicks.lasts_ns,
            width,
        )
        wrong, status = await compare(session, announcement, bits[compared])
        return Exchange(
            slots=clicks.seen,
            lasts_ns=clicks.lasts_ns,
            width=width,
            singles=(len(clicks), len(slots)),
            bits=bits,
            bases=bases,
            theirs=their_bases,
            agree=agree,
            compared=compared,
            wrong=wrong,
            status=status,
            session=session.name,
        )


class Bob(bbm92.Bob):
    """Detects what `source` (or `peer` herself) sends, or measures pairs with `peer`, and sifts with `peer`.

    Returns as Alice does.
    """

    axes = axes_of(BOB_DEG)

    async def _sift(
        self, clicks: Clicks | MeasuredPairs, end: Distiller | None, session: Responder
    ) -> Exchange:
        del end  # refused: there is no bound for these axes
        sifted: Angles = await session.receive(Angles)
        coincident = marks(sifted.coincident, len(clicks))
        count = int(coincident.sum())
        bits, theirs = clicks.bits[coincident], clicks.bases[coincident]
        bases = unpacked(sifted.angles, count, planes_for(ANGLES))
        compared = marks(sifted.compared, count)
        return Exchange(
            slots=sifted.slots,
            lasts_ns=sifted.lasts_ns,
            width=sifted.width,
            singles=(sifted.clicks, len(clicks)),
            bits=bits,
            bases=bases,
            theirs=theirs,
            agree=_among(bases, theirs, _EQUAL),
            compared=compared,
            wrong=await compare_as_receiver(session, bits[compared]),
            status=CONFIRMED,
            session=session.name,
        )
