"""Correlations: what two or more ends find when they measure parts of one state, and compare.

Owns the settings, the outcomes of one end, and what all ends' outcomes come to: a correlator for each
combination of settings, E = <product of +1 and -1>, with its standard error sqrt((1 - E^2)/N), and what
follows from them: QBER, the CHSH value, Mermin's. Does not own the exchange (comparison.py).

Rule: only rounds that every end has measured count. An outcome is known by its round's name, which is alike
at all ends (a pair's id), so a lost pair or message shifts nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...emulator.errors import ProgramError
from ..agent import Agent
from ..qubits import Axis, Pair, Qubit, bloch
from .cleanup import DiscardOnError

#: Between the settings of the ends in the name of a combination.
_BETWEEN = "."
Settings = Mapping[str, Axis] | Sequence[str]


@dataclass(frozen=True)
class Correlator:
    """One combination of settings: the mean product of the outcomes (+1, -1), its error, how many rounds."""

    value: float
    error: float
    count: int

    @classmethod
    def of(cls, total: int, count: int) -> Correlator:
        """From the sum of the products."""
        value = total / count
        return cls(value, math.sqrt(max(0.0, 1 - value**2) / count), count)


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error."""

    value: float
    error: float


@dataclass
class Correlations:
    """What a comparison has shown; JSON holds it, so it may be part of a result.

    `correlators`: by combination, the settings in the order of the ends, "Z.X". `rounds`: how many count.
    `status` and `session` are those of the exchange (session.py).
    """

    parties: list[str]
    correlators: dict[str, Correlator]
    rounds: int
    status: str = ""
    session: str | None = None

    def at(self, *settings: str) -> Correlator:
        """The correlator of one combination. Raises ProgramError if it never came up."""
        found = self.correlators.get(_BETWEEN.join(settings))
        if found is None:
            known = ", ".join(self.correlators) or "none"
            raise ProgramError(
                f"no round was measured at {_BETWEEN.join(settings)!r}; there are {known}"
            )
        return found

    def qber(self, setting: str | None = None) -> Estimate:
        """How often outcomes differ where all ends had that setting, or (None) any same one."""
        same = [
            each
            for name, each in self.correlators.items()
            if len(set(parts := name.split(_BETWEEN))) == 1 and setting in (None, parts[0])
        ]
        count = sum(each.count for each in same)
        if not count:
            raise ProgramError("no round was measured at the same setting by all ends")
        rate = sum(each.count * (1 - each.value) / 2 for each in same) / count
        return Estimate(rate, math.sqrt(rate * (1 - rate) / count))

    def chsh(self, first: Sequence[str], second: Sequence[str]) -> Estimate:
        """S = E(a, b) + E(a, b') + E(a', b) - E(a', b') of settings (a, a') and (b, b').

        Clauser, Horne, Shimony, Holt, PRL 23, 880 (1969); 2 at most without entanglement. Phi+ gives
        2 sqrt 2 at a = Z, a' = X and b, b' = (Z + X), (Z - X).
        """
        (a, a2), (b, b2) = first, second
        return self._sum({(a, b): 1, (a, b2): 1, (a2, b): 1, (a2, b2): -1})

    def mermin(self) -> Estimate:
        """M = E(XXX) - E(XYY) - E(YXY) - E(YYX) of three ends; 4 for a GHZ state, classically 2 at most.

        Mermin, PRL 65, 1838 (1990).
        """
        signs: dict[tuple[str, ...], int] = {
            ("X", "X", "X"): 1,
            ("X", "Y", "Y"): -1,
            ("Y", "X", "Y"): -1,
            ("Y", "Y", "X"): -1,
        }
        return self._sum(signs)

    def _sum(self, signs: Mapping[tuple[str, ...], int]) -> Estimate:
        parts = [(sign, self.at(*settings)) for settings, sign in signs.items()]
        value = sum(sign * each.value for sign, each in parts)
        return Estimate(value, math.sqrt(sum(each.error**2 for _, each in parts)))


class Outcomes:
    """The outcomes of one end: of each round the setting and the bit.

    `settings`: axes by name ("Z", or a Bloch vector), or names of axes. Without a setting given `measure`
    draws one with the node's generator, all alike or with `weights`.
    """

    def __init__(
        self, agent: Agent, settings: Settings, weights: Sequence[float] | None = None
    ) -> None:
        named = settings if isinstance(settings, Mapping) else {name: name for name in settings}
        self.settings = {name: bloch(axis) for name, axis in named.items()}
        if not self.settings or any(_BETWEEN in name or not name for name in self.settings):
            raise ProgramError(f"settings have names, without a {_BETWEEN!r}: {list(named)}")
        if weights is not None and len(weights) != len(self.settings):
            raise ProgramError(
                f"{len(self.settings)} settings need as many weights, not {len(weights)}"
            )
        self._agent, self._weights = agent, _normalised(weights)
        #: Round -> (setting, bit).
        self.rounds: dict[str, tuple[str, int]] = {}

    def draw(self) -> str:
        """A setting of the next round."""
        names = list(self.settings)
        if self._weights is None:
            return names[int(self._agent.rng.integers(len(names)))]
        return names[int(self._agent.rng.choice(len(names), p=self._weights))]

    async def measure(
        self, held: Qubit | Pair, setting: str | None = None, *, label: str | None = None
    ) -> int:
        """Measure a pair's half or a qubit at a setting (None: a drawn one), and keep the bit.

        `label` names the round alike at all ends; a pair has its id. Cancelled: the qubit is discarded.
        """
        if label is None:
            if not isinstance(held, Pair):
                raise ProgramError("a qubit's round needs a `label` that is alike at all ends")
            label = held.id
        setting = self.draw() if setting is None else setting
        if setting not in self.settings:
            raise ProgramError(f"no setting {setting!r}; there are {', '.join(self.settings)}")
        async with DiscardOnError(held):
            bit = await held.measure(self.settings[setting])
        self.rounds[label] = (setting, bit)
        return bit


def correlations(
    parties: Sequence[str], outcomes: Sequence[Mapping[str, tuple[str, int]]]
) -> tuple[Correlations, list[tuple[str, int]]]:
    """What the ends' outcomes come to, and each common round's (combination, product).

    `outcomes` in the order of the parties. Rounds go in the order of the first party's.
    """
    first, *others = outcomes
    sums: dict[str, list[int]] = {}
    products = []
    for label, own in first.items():
        found = [own, *(other[label] for other in others if label in other)]
        if len(found) < len(outcomes):
            continue
        combination = _BETWEEN.join(setting for setting, _ in found)
        product = -1 if sum(bit for _, bit in found) % 2 else 1
        sums.setdefault(combination, []).append(product)
        products.append((combination, product))
    correlators = {name: Correlator.of(sum(all_), len(all_)) for name, all_ in sorted(sums.items())}
    return Correlations(list(parties), correlators, len(products)), products


def record(agent: Agent, name: str, products: Sequence[tuple[str, int]]) -> None:
    """Note each round's product: metric `<node>.<name>.<combination>`, whose mean is the correlator."""
    for combination, product in products:
        agent.record(f"{name}.{combination}", product)


def _normalised(weights: Sequence[float] | None) -> list[float] | None:
    if weights is None:
        return None
    total = math.fsum(weights)
    if not total > 0 or min(weights) < 0:
        raise ProgramError(f"weights are 0 or more, and not all 0: {list(weights)}")
    return [weight / total for weight in weights]
