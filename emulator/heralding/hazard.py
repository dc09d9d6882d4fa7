"""Attempts whose chances change with time: over a beam whose ends move, or under clouds that come and go.

Owns when such attempts begin and which of them succeeds (`ChangingAttempts`). Does not own what an attempt is
at a time (its `Way` says that), the physics of the kinds, nor when attempts are drawn anew (quantum/pairs/).

Theory of operation. Time falls into stretches in which all attempts are alike or none begins. Attempts follow
each other: the next one begins when the last one's length is over, which is that of the stretch in which it
began. So a stretch of n attempts adds -n log(1 - p) to the hazard, and one number u says which attempt
succeeds: the first at which the sum reaches -log(1 - u). Nothing happens in time while they fail.

Rules. One number for each success, and one more where the heralded Bell state is random. The attempts from
some time on depend on that time and the way alone, never on what was drawn; those that follow any of them are
the same attempts. Neither depends on what was asked before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .attempts import Attempts, Density
from .timing import Success, Successes, Timing


class Stretch(NamedTuple):
    """What attempts are that begin before `until_ns`; None: none begins."""

    until_ns: int
    attempts: Attempts | None


class Times(NamedTuple):
    """Emissions and heralds of one attempt at the link's ends, in ns."""

    emissions_ns: tuple[int, int]
    heralds_ns: tuple[int, int]


class Way(Protocol):
    """What attempts cross."""

    @property
    def ends_ns(self) -> int | None:
        """None begins from then on, as far as it is planned; None: no end is planned."""

    @property
    def horizon_ns(self) -> int:
        """How far attempts are looked for."""

    def stretch(self, t_ns: int) -> Stretch:
        """The stretch that a time lies in."""

    def times(self, begins_ns: int, attempts: Attempts) -> Times:
        """Of an attempt of that stretch which begins then: exact, and within the attempt's `timing`."""


@dataclass(frozen=True)
class ChangingAttempts:
    """Attempts on a way. `typical` is what the link is calibrated to, with the longest attempt of all."""

    way: Way
    typical: Attempts
    alpha: float | None = None

    @property
    def success(self) -> float:
        """See HeraldedSource: of `typical`, as all that has no time."""
        return self.typical.success

    @property
    def fidelity(self) -> float:
        """See HeraldedSource."""
        return self.typical.fidelity

    @property
    def attempt_ns(self) -> int:
        """See HeraldedSource."""
        return self.typical.attempt_ns

    @property
    def timing(self) -> Timing:
        """See HeraldedSource."""
        return self.typical.timing

    @property
    def rhythm(self) -> ChangingAttempts:
        """See HeraldedSource."""
        return self

    @property
    def ends_ns(self) -> int | None:
        """See HeraldedSource."""
        return self.way.ends_ns

    def density(self, bell: int = 0) -> Density:
        """See HeraldedSource."""
        return self.typical.density(bell)

    def at(self, alpha: float | None) -> ChangingAttempts:
        """See HeraldedSource."""
        return self if alpha is None else replace(self, typical=self.typical.at(alpha), alpha=alpha)

    # --- draws ---

    def draw(self, rng: np.random.Generator, start_ns: int = 0) -> Success | None:
        """See HeraldedSource."""
        hazard, bells = -math.log1p(-rng.random()), self.typical.bells
        bell = bells[int(rng.random() * len(bells))] if len(bells) > 1 else bells[0]
        begins_ns = self._succeeds_ns(hazard, start_ns)
        return None if begins_ns is None else self._success(start_ns, begins_ns, bell)

    def successes(self, u: NDArray[np.float64], start_ns: int, longest_ns: int) -> Successes:
        """See HeraldedSource."""
        first_ns = self.first_ns(start_ns)
        t_ns = start_ns if first_ns is None else first_ns
        until_ns, begins, found, pairs = t_ns + longest_ns, [], [], []
        for hazard in (-np.log1p(-u)).tolist():
            begins_ns = self._succeeds_ns(hazard, t_ns)
            if begins_ns is None:
                break
            success = self._success(0, begins_ns, 0)
            if success.herald_ns > until_ns:
                break
            begins.append(begins_ns)
            found.append(success)
            pairs.append(self.pair_of(0, success))
            t_ns = success.herald_ns
        emissions, heralds = (
            np.array(times, dtype=np.int64).reshape(-1, 2).T
            for times in (
                [each.emissions_ns for each in found],
                [each.heralds_ns for each in found],
            )
        )
        return Successes(np.array(begins, dtype=np.int64), emissions, heralds, tuple(pairs))

    def pair_of(self, start_ns: int, success: Success) -> Attempts:
        """See HeraldedSource."""
        return self._attempts(start_ns + success.begins_ns)

    def _success(self, start_ns: int, begins_ns: int, bell: int) -> Success:
        """That of the attempt which begins then, as offsets from `start_ns`."""
        emissions, heralds = self.way.times(begins_ns, self._attempts(begins_ns))
        return Success(
            (heralds[0] - start_ns, heralds[1] - start_ns),
            (emissions[0] - start_ns, emissions[1] - start_ns),
            bell,
            begins_ns - start_ns,
        )

    def _succeeds_ns(self, hazard: float, start_ns: int) -> int | None:
        """When the attempt begins at which the hazard from `start_ns` on reaches that much."""
        t_ns = start_ns
        while (found := self._next(t_ns)) is not None:
            t_ns, until_ns, attempts = found
            length_ns, success = attempts.attempt_ns, attempts.success
            count = -(-(until_ns - t_ns) // length_ns)
            each = math.inf if success >= 1 else -math.log1p(-success)
            if each and hazard < count * each:
                return t_ns + min(int(hazard / each), count - 1) * length_ns
            hazard -= count * each
            t_ns += count * length_ns
        return None

    # --- as a Rhythm ---

    def first_ns(self, from_ns: int) -> int | None:
        """See Rhythm."""
        found = self._next(from_ns)
        return None if found is None else found[0]

    def emits_ns(self, from_ns: int) -> int | None:
        """See Rhythm."""
        found = self._next(from_ns)
        return None if found is None else found[0] + found[2].timing.emission_ns

    def resumes_ns(self, from_ns: int, now_ns: int) -> int:
        """See Rhythm."""
        t_ns = from_ns
        while (found := self._next(t_ns)) is not None:
            t_ns, until_ns, attempts = found
            length_ns = attempts.attempt_ns
            count = max(0, -(-(now_ns - attempts.timing.emission_ns - t_ns) // length_ns))
            if t_ns + count * length_ns < until_ns:
                return t_ns + count * length_ns
            t_ns += -(-(until_ns - t_ns) // length_ns) * length_ns
        return max(from_ns, now_ns)

    def after(self, from_ns: int, success: Success) -> int:
        """See Rhythm."""
        begins_ns = from_ns + success.begins_ns
        return begins_ns + self._attempts(begins_ns).attempt_ns

    def begun(self, from_ns: int, until_ns: int) -> int:
        """See Rhythm."""
        total, t_ns = 0, from_ns
        while (found := self._next(t_ns)) is not None and found[0] < until_ns:
            t_ns, ends_ns, attempts = found
            count = -(-(min(ends_ns, until_ns) - t_ns) // attempts.attempt_ns)
            total += count
            t_ns += count * attempts.attempt_ns
        return total

    def _next(self, t_ns: int) -> tuple[int, int, Attempts] | None:
        """The first time from `t_ns` on at which attempts may begin, until when they are alike, and they."""
        horizon_ns = self.way.horizon_ns
        while t_ns < horizon_ns:
            until_ns, attempts = self.way.stretch(t_ns)
            if attempts is not None:
                return t_ns, min(until_ns, horizon_ns), attempts.at(self.alpha)
            t_ns = until_ns
        return None

    def _attempts(self, t_ns: int) -> Attempts:
        attempts = self.way.stretch(t_ns).attempts
        assert attempts is not None, "no attempt begins without a contact"
        return attempts.at(self.alpha)
