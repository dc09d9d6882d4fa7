"""lost_herald: a link's success is not heard of, with `probability`, at both ends or at one."""

from __future__ import annotations

from ..quantum.pairs.heralded_pair import HEARD, HeraldOutcome
from .base import HeraldStrike


class LostHerald(HeraldStrike):
    """`{at: 2 s, for: 1 s, lost_herald: alice-r1, probability: 0.3}`, at both ends unless `end: r1`.

    Lost at both ends, it was no success: attempts go on. Lost at one end, the other has half of a pair whose
    partner is gone, and the end that did not hear asks on. One draw a success.
    """

    def on_success(self, ends: tuple[str, str]) -> HeraldOutcome:
        if not self.strikes():
            return HEARD
        end = self.spec.parameters.get("end")
        return HeraldOutcome(lost=ends if end is None else (str(end),))
