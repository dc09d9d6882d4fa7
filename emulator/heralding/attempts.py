"""What heralds pairs on a link: attempts until success, in one draw.

Owns what requests ask of every kind of link (`HeraldedSource`), the arithmetic of repeated independent
attempts, when the surviving halves came into being and when each end hears of it, and the simple link.
Does not own the physics of the other kinds (single_click.py, double_click.py, midpoint.py: each makes
`Attempts` of its parameters), nor attempts whose chances change with time (hazard.py). Does not schedule: the
plane starts, withdraws and redraws attempts (they have no memory, so whatever changes the link draws the rest
anew).

Rules. Every outcome of one link costs the same number of draws, whatever the probability, so that a
changed parameter shifts no later draws: one, and one more where the heralded Bell state is random.
No end hears of a success before light has come to it from the other end's part in it: what an end emits (or
latches) at t is heard at the other one not before t plus the light's time over the whole link.

Attempts shorter than that time follow each other without waiting for heralds (multiplexing in time: Simon et
al., PRL 98, 190503 (2007)): attempt k leaves (k-1) `attempt` after the first, whatever is
still on its way, so that the rate is that of the attempts and each herald comes a light time after its light.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..states import noise, states
from ..states.pauli import PAULIS
from ..wire.bit_planes import read_only
from .timing import Rhythm, Success, Successes, Timing

Density = NDArray[np.complex128]

#: Two qubits that know nothing of each other, nor of anything else; what a herald without a pair stands for.
MIXED: Density = read_only(np.eye(4, dtype=np.complex128) / 4)
MIXED.setflags(write=False)
#: Bright populations of one source that are kept at hand.
_KEPT_ALPHAS = 32


def attempts_until_success(success: float, rng: np.random.Generator) -> int | None:
    """The number of the first successful attempt, from 1; None if there never is one.

    Geometric by inversion, n = 1 + floor(ln(1-u) / ln(1-p)), in log1p so that tiny p keep their digits.
    """
    u = rng.random()
    if success <= 0.0:
        return None
    if success >= 1.0:
        return 1
    failures = math.log1p(-u) / math.log1p(-success)
    return 1 + math.floor(failures) if math.isfinite(failures) else None


class HeraldedSource(Protocol):
    """What heralds pairs on a link, of whatever kind."""

    @property
    def success(self) -> float:
        """Probability that one attempt succeeds."""

    @property
    def fidelity(self) -> float:
        """<Phi+|rho|Phi+> of a pair at emission, after the herald's correction: its goodness."""

    @property
    def attempt_ns(self) -> int:
        """From one attempt to the next."""

    @property
    def timing(self) -> Timing:
        """One attempt in time; the longest one, if they change."""

    @property
    def rhythm(self) -> Rhythm:
        """When attempts begin."""

    @property
    def ends_ns(self) -> int | None:
        """No attempt begins from then on; None: they never end."""

    def draw(self, rng: np.random.Generator, start_ns: int = 0) -> Success | None:
        """When attempts that start at `start_ns` succeed, and as what; None if they never do."""

    def successes(self, u: NDArray[np.float64], start_ns: int, longest_ns: int) -> Successes:
        """Successes one after the other, each from the herald of the one before on, one number of `u` each.

        Only those that are heralded within `longest_ns` from the first attempt on.
        """

    def pair_of(self, start_ns: int, success: Success) -> HeraldedSource:
        """What has the state and the goodness of that success of attempts from `start_ns` on."""

    def density(self, bell: int = 0) -> Density:
        """The pair at emission, shape (4, 4), read-only.

        After the herald's correction (0), or as heralded in the Bell state `bell` of a `Success`.
        """

    def at(self, alpha: float | None) -> HeraldedSource:
        """The same link at another bright population of its emitters; None: as it is.

        Raises InputError for a link whose emitters have none.
        """


def in_frame(density: Density, bell: int) -> Density:
    """A pair about Phi+ turned to the Bell state of that index, or back to Phi+; read-only.

    By Pauli operators on the second qubit: X if bit 0 of the index is set, Z if bit 1 is.
    """
    identity, x, _, z = PAULIS
    pauli = np.kron(identity, (x if bell & 1 else identity) @ (z if bell & 2 else identity))
    turned: Density = pauli @ density @ pauli.conj().T
    turned.setflags(write=False)
    return turned


@dataclass(frozen=True)
class Attempts:
    """Attempts of any kind, as a source: what the physics of a kind comes to.

    `pair` is the density matrix, shape (4, 4), after the herald's correction to Phi+; `bells` the
    heralded Bell states, equally likely. `tuned`: the same link at another bright population, if it has one.
    Raises InputError if `success` is no probability.
    """

    success: float
    timing: Timing
    pair: Density = field(repr=False, compare=False)
    bells: tuple[int, ...] = (0,)
    tuned: Callable[[float], Attempts] | None = field(default=None, repr=False, compare=False)
    fidelity: float = field(init=False)
    _densities: tuple[Density, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        noise.check_probability("success", self.success)
        phi_plus = states.bell_vector(0)
        fidelity = float(np.vdot(phi_plus, self.pair @ phi_plus).real)
        object.__setattr__(self, "fidelity", fidelity)
        densities = tuple(in_frame(self.pair, bell) for bell in range(4))
        object.__setattr__(self, "_densities", densities)

    @property
    def attempt_ns(self) -> int:
        """From one attempt to the next."""
        return self.timing.attempt_ns

    @property
    def rate_hz(self) -> float:
        """Mean number of pairs a second while attempts run: P / T_attempt."""
        return self.success * 1e9 / self.timing.attempt_ns

    @property
    def rhythm(self) -> Timing:
        """See HeraldedSource."""
        return self.timing

    @property
    def ends_ns(self) -> None:
        """See HeraldedSource."""
        return

    def draw(self, rng: np.random.Generator, start_ns: int = 0) -> Success | None:
        """See HeraldedSource: one draw, and one more if there are several `bells`."""
        del start_ns
        attempt = attempts_until_success(self.success, rng)
        bells = self.bells
        bell = bells[int(rng.random() * len(bells))] if len(bells) > 1 else bells[0]
        return None if attempt is None else self.timing.success_in(attempt, bell)

    def successes(self, u: NDArray[np.float64], start_ns: int, longest_ns: int) -> Successes:
        """See HeraldedSource."""
        return steady_successes(self, u, start_ns, longest_ns)

    def pair_of(self, start_ns: int, success: Success) -> Attempts:
        """See HeraldedSource."""
        del start_ns, success
        return self

    def density(self, bell: int = 0) -> Density:
        """See HeraldedSource."""
        return self._densities[bell]

    def at(self, alpha: float | None) -> Attempts:
        """See HeraldedSource. Raises InputError also for what is no bright population."""
        if alpha is None:
            return self
        if self.tuned is None:
            raise InputError("its emitters have no bright population that could be another")
        return self.tuned(alpha)

    def scaled(self, factor: float) -> Attempts:
        """The same attempts, of whose successes only a part is heralded."""
        tuned = self.tuned
        if factor == 1:
            return self
        rest = None if tuned is None else lambda alpha: tuned(alpha).scaled(factor)
        return replace(self, success=self.success * factor, tuned=rest)


def steady_successes(
    source: HeraldedSource, u: NDArray[np.float64], start_ns: int, longest_ns: int
) -> Successes:
    """`HeraldedSource.successes` of attempts that never change."""
    timing, success = source.timing, source.success
    heard_ns = max(timing.heralds_ns)
    failures = np.zeros(len(u))
    if 0 < success < 1:
        failures = np.floor(np.log1p(-u) / np.log1p(-success))
    offsets = np.cumsum(failures * timing.attempt_ns) + heard_ns * np.arange(len(u))
    in_time = (offsets <= longest_ns - heard_ns) & (success > 0)
    begins_ns = start_ns + offsets[in_time].astype(np.int64)
    emissions_ns, heralds_ns = (
        begins_ns + np.array(times)[:, None] for times in (timing.emissions_ns, timing.heralds_ns)
    )
    return Successes(begins_ns, emissions_ns, heralds_ns, (source,))


def kept_by_alpha(make: Callable[[float], Attempts]) -> Callable[[float], Attempts]:
    """`make`, which keeps the latest of what it made at hand."""
    return lru_cache(_KEPT_ALPHAS)(make)


@dataclass(frozen=True)
class SimpleLink:
    """A link that heralds Werner states: `success` per attempt, `fidelity` at emission.

    `attempt_ns` is the time from one attempt to the next, `delay_ns` a photon's over the whole link.
    With the herald station in the middle the photons fly L/2 out and the message L/2 back, so a pair
    is one `delay_ns` old at its herald. What is left of a longer attempt is preparation, at its start;
    shorter ones leave while earlier ones are on their way.
    Raises InputError for values that are no probabilities, or times that are not positive.
    """

    success: float
    fidelity: float
    attempt_ns: int
    delay_ns: int
    _attempts: Attempts = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        noise.check_probability("entangle: success", self.success)
        noise.check_probability("entangle: fidelity", self.fidelity)
        if self.attempt_ns < 1 or self.delay_ns < 0:
            raise InputError(
                f"entangle: attempt is {self.attempt_ns} ns and delay {self.delay_ns} ns; "
                "expected at least 1 ns and 0 ns"
            )
        herald_ns = max(self.attempt_ns, self.delay_ns)
        timing = Timing(self.attempt_ns, (herald_ns - self.delay_ns,) * 2, (herald_ns,) * 2)
        attempts = Attempts(self.success, timing, states.werner(self.fidelity))
        object.__setattr__(self, "_attempts", attempts)

    @property
    def timing(self) -> Timing:
        """One attempt in time."""
        return self._attempts.timing

    @property
    def rhythm(self) -> Timing:
        """See HeraldedSource."""
        return self._attempts.timing

    @property
    def ends_ns(self) -> None:
        """See HeraldedSource."""
        return

    def draw(self, rng: np.random.Generator, start_ns: int = 0) -> Success | None:
        """When attempts that start now succeed; None if they never do."""
        return self._attempts.draw(rng, start_ns)

    def successes(self, u: NDArray[np.float64], start_ns: int, longest_ns: int) -> Successes:
        """See HeraldedSource."""
        return steady_successes(self, u, start_ns, longest_ns)

    def pair_of(self, start_ns: int, success: Success) -> SimpleLink:
        """See HeraldedSource."""
        del start_ns, success
        return self

    def density(self, bell: int = 0) -> Density:
        """The pair at emission, shape (4, 4), read-only: Werner, Phi+ with `fidelity`."""
        return self._attempts.density(bell)

    def at(self, alpha: float | None) -> SimpleLink:
        """See HeraldedSource."""
        if alpha is not None:
            raise InputError(
                "a simple link has no emitters whose bright population could be another"
            )
        return self
