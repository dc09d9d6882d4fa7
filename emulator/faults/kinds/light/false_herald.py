"""false_herald: a herald comes without a pair, with `probability` for each that comes."""

from __future__ import annotations

from ...base import CHANCE, FaultKind, HeraldStrike
from ...verdicts import HEARD, HeraldOutcome


class FalseHerald(HeraldStrike):
    """`{at: 2 s, for: 1 s, false_herald: alice-r1, probability: 0.3}`.

    Both ends get a qubit that knows nothing of the other, maximally mixed: F = (1 - p) F0 + p/4. One draw a
    success.
    """

    kind = FaultKind(
        "false_herald", "quantum", "link", lasting=True, parameters={"probability": CHANCE}
    )

    def on_success(self, ends: tuple[str, str]) -> HeraldOutcome:
        return HeraldOutcome(false=True) if self.strikes() else HEARD
