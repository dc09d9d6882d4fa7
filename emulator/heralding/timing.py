"""When attempts begin, emit and are heard of, and the successes among them.

Owns one attempt in time (`Timing`), what a `Rhythm` of attempts answers, and successes as offsets and as
arrays. Does not own chances (attempts.py, hazard.py) nor the geometry of each kind (midpoint.py). Pairs are
in the order of the link's ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

if TYPE_CHECKING:
    from .attempts import HeraldedSource


class Success(NamedTuple):
    """When it succeeds, and as what: offsets from the start of the attempts, in ns.

    Pairs are in the order of the link's ends. `heralds_ns`: when each end hears of it. `emissions_ns`:
    since when each half decays. `bell` is the heralded Bell state, before the herald's correction.
    `begins_ns`: when the attempt that succeeds begins.
    """

    heralds_ns: tuple[int, int]
    emissions_ns: tuple[int, int]
    bell: int = 0
    begins_ns: int = 0

    @property
    def herald_ns(self) -> int:
        """When both ends have heard of it."""
        return max(self.heralds_ns)

    @property
    def emission_ns(self) -> int:
        """When the first half came into being."""
        return min(self.emissions_ns)


class Successes(NamedTuple):
    """Successes one after the other: int64 arrays in ns, by pair, and by end and pair.

    `pairs`: what each is, or all of them.
    """

    begins_ns: NDArray[np.int64]
    emissions_ns: NDArray[np.int64]
    heralds_ns: NDArray[np.int64]
    pairs: tuple[HeraldedSource, ...]

    def those(self, wanted: NDArray[np.bool_]) -> Successes:
        """Some of them."""
        pairs = self.pairs
        if len(pairs) == len(wanted) > 1:
            pairs = tuple(pair for pair, kept in zip(pairs, wanted, strict=True) if kept)
        emissions_ns, heralds_ns = self.emissions_ns[:, wanted], self.heralds_ns[:, wanted]
        return Successes(self.begins_ns[wanted], emissions_ns, heralds_ns, pairs)


class Rhythm(Protocol):
    """When attempts begin that follow each other from some time on."""

    def first_ns(self, from_ns: int) -> int | None:
        """When the first one begins, which may be at `from_ns`; None if none ever does."""

    def emits_ns(self, from_ns: int) -> int | None:
        """When the first one emits its first light; None if none ever does."""

    def resumes_ns(self, from_ns: int, now_ns: int) -> int:
        """When the first one begins that emits nothing before `now_ns`."""

    def after(self, from_ns: int, success: Success) -> int:
        """When the one begins that follows the success of attempts from `from_ns` on."""

    def begun(self, from_ns: int, until_ns: int) -> int:
        """How many begin before `until_ns`."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One attempt in time, in ns, which is the rhythm of attempts that never change.

    `attempt_ns` from one attempt to the next; `emissions_ns` and `heralds_ns` from the start of the
    successful one. Raises InputError unless an attempt takes at least 1 ns and every half is emitted
    not before its start and not after its herald.
    """

    attempt_ns: int
    emissions_ns: tuple[int, int]
    heralds_ns: tuple[int, int]

    def __post_init__(self) -> None:
        if self.attempt_ns < 1:
            raise InputError(f"attempt is {self.attempt_ns} ns, expected at least 1 ns")
        for emission_ns, herald_ns in zip(self.emissions_ns, self.heralds_ns, strict=True):
            if not 0 <= emission_ns <= herald_ns:
                raise InputError(
                    f"a half emitted at {emission_ns} ns of its attempt and heralded at {herald_ns} ns; "
                    "expected 0 or more, and no herald before the emission"
                )

    @property
    def emission_ns(self) -> int:
        """When the first half comes into being."""
        return min(self.emissions_ns)

    @property
    def ages_ns(self) -> tuple[int, int]:
        """How old each half is when its end hears of it."""
        (first, second), (herald, other_herald) = self.emissions_ns, self.heralds_ns
        return herald - first, other_herald - second

    def success_in(self, attempt: int, bell: int = 0) -> Success:
        """The success of the attempt of that number, from 1."""
        start_ns = (attempt - 1) * self.attempt_ns
        (herald, other_herald), (emission, other_emission) = self.heralds_ns, self.emissions_ns
        return Success(
            (start_ns + herald, start_ns + other_herald),
            (start_ns + emission, start_ns + other_emission),
            bell,
            start_ns,
        )

    # --- as a Rhythm ---

    def first_ns(self, from_ns: int) -> int:
        return from_ns

    def emits_ns(self, from_ns: int) -> int:
        return from_ns + self.emission_ns

    def resumes_ns(self, from_ns: int, now_ns: int) -> int:
        since_ns = now_ns - from_ns - self.emission_ns
        return from_ns + max(0, -(-since_ns // self.attempt_ns)) * self.attempt_ns

    def after(self, from_ns: int, success: Success) -> int:
        return from_ns + success.begins_ns + self.attempt_ns

    def begun(self, from_ns: int, until_ns: int) -> int:
        return max(0, -(-(until_ns - from_ns) // self.attempt_ns))
