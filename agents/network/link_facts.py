"""What a link promises: rate and fidelity at each bright population, and the one to choose for a fidelity.

Owns the arithmetic from `Heralding` (wire/messages.py), which the node has from its start, to what a request
can count on. Does not own the physics of the heralding, whose numbers these are.

Theory of operation. A pair is known by five numbers: its populations and the real coherence of |00> and |11>.
Storage for tA and tB in memories with T1 and T2 leaves, with g = exp(-t/T1) and c = exp(-tA/T2A - tB/T2B),

    F = [p00 + p11 (gA gB + (1-gA)(1-gB)) + p01 (1-gB) + p10 (1-gA)]/2 + coherence * c

which is linear in the five. Of a single-click link each is a herald's chance times a polynomial of alpha, so
that "F is at least f" is a quadratic inequality in x = alpha/(1-alpha), and the largest alpha is its root.

Rules: what is promised is what the link is without faults and drifts, which the node cannot know. A noise of
the user's in a memory is not in it either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...emulator.errors import InputError
from ...emulator.wire import Heralding, LinkInfo
from .errors import FidelityImpossible

#: So close to 1 is alpha where any population is good enough: at 1 itself no emitter is ever dark.
_BRIGHTEST = 1 - 1e-6
_Five = tuple[float, float, float, float, float]


@dataclass(frozen=True)
class LinkFacts:
    """What a link promises at one setting.

    Attributes:
        link: its name.
        peer: the node at its other end.
        alpha: the bright population of a single-click link; None for other kinds.
        fidelity: of a pair when both ends have heard of it, and have kept it for as long as was asked.
        success: the probability that one attempt succeeds.
        rate_hz: pairs per second while both ends ask without a pause.
        latency_s: how long a message takes to the peer.
    """

    link: str
    peer: str
    alpha: float | None
    fidelity: float
    success: float
    rate_hz: float
    latency_s: float


def facts_of(info: LinkInfo, alpha: float | None = None, storage_ns: int = 0) -> LinkFacts:
    """What the link promises at `alpha` (None: its own) for pairs that are kept `storage_ns` more.

    Raises InputError for an alpha of a link that has none, and for one that is not between 0 and 1.
    """
    heralding = _heralding(info)
    if alpha is not None and not heralding.alpha:
        raise InputError(f"{info.name} has no bright population: expected no alpha")
    if alpha is not None and not 0 < alpha < 1:
        raise InputError(f"alpha is {alpha}, expected more than 0 and less than 1")
    overlaps = _overlaps(heralding, storage_ns)
    own = heralding.alpha or None
    if alpha is None or alpha == own:
        fidelity = math.fsum(a * b for a, b in zip(heralding.pair, overlaps, strict=True))
        return _facts(info, own, fidelity, heralding.success)
    weights = _weights(alpha)
    clicks = _clicks(heralding)
    success = math.fsum(w * c for w, c in zip(weights[:4], clicks[:4], strict=True))
    faithful = math.fsum(
        w * c * o for w, c, o in zip(weights, clicks, _by_click(overlaps), strict=True)
    )
    return _facts(info, alpha, faithful / success if success else 0.25, success)


def brightest(info: LinkInfo, fidelity: float, storage_ns: int = 0) -> float | None:
    """The largest alpha whose pairs have at least `fidelity`, kept `storage_ns` more; None if none has.

    Raises InputError for a link without a bright population.
    """
    heralding = _heralding(info)
    if not heralding.alpha:
        raise InputError(f"{info.name} has no bright population")
    none, first, second, both, swing = _clicks(heralding)
    kept = _by_click(_overlaps(heralding, storage_ns))
    # F >= f reads a x^2 + b x + c >= 0: two bright emitters cost fidelity, and so does none.
    a = both * (kept[3] - fidelity)
    b = first * (kept[1] - fidelity) + second * (kept[2] - fidelity) + swing * kept[4]
    c = none * (kept[0] - fidelity)
    if a >= 0:
        return _BRIGHTEST
    inside = b * b - 4 * a * c
    if inside < 0:
        return None
    ratio = (-b - math.sqrt(inside)) / (2 * a)
    return min(ratio / (1 + ratio), _BRIGHTEST) if ratio > 0 else None


def setting_for(
    info: LinkInfo, min_fidelity: float, alpha: float | None = None, storage_ns: int = 0
) -> LinkFacts:
    """The fastest setting that reaches a fidelity after so much storage; at `alpha`, if that is given.

    Without a fidelity the link's own. Raises FidelityImpossible, InputError.
    """
    if not 0 <= min_fidelity <= 1:
        raise InputError(f"min_fidelity is {min_fidelity}, expected 0 to 1")
    facts = facts_of(info, alpha, storage_ns)
    what = info.name if alpha is None else f"{info.name} at alpha {alpha:g}"
    if alpha is None and min_fidelity and facts.alpha is not None:
        found = brightest(info, min_fidelity, storage_ns)
        if found is not None:
            return facts_of(info, found, storage_ns)
    elif facts.fidelity >= min_fidelity:
        return facts
    best = facts.fidelity if alpha is not None else best_fidelity(info, storage_ns)
    raise FidelityImpossible(info.peer, min_fidelity, best, what)


def best_fidelity(info: LinkInfo, storage_ns: int = 0) -> float:
    """The fidelity that no setting of the link surpasses, to four digits below."""
    heralding = _heralding(info)
    if not heralding.alpha:
        return facts_of(info, storage_ns=storage_ns).fidelity
    below, above = 0.0, 1.0
    while above - below > 1e-5:
        middle = (below + above) / 2
        if brightest(info, middle, storage_ns) is None:
            above = middle
        else:
            below = middle
    return below


def _facts(info: LinkInfo, alpha: float | None, fidelity: float, success: float) -> LinkFacts:
    heralding = _heralding(info)
    attempts_s = heralding.attempt_ns / success * 1e-9 if success else math.inf
    heard_s = (max(heralding.heralds_ns) - heralding.attempt_ns) * 1e-9
    # A success is heard of later than its attempt ends, and the next attempts wait for that.
    rate_hz = heralding.multiplexing / (attempts_s + heard_s) if success else 0.0
    return LinkFacts(
        info.name, info.peer, alpha, fidelity, success, rate_hz, info.latency_ns * 1e-9
    )


def _heralding(info: LinkInfo) -> Heralding:
    if info.heralding is None:
        raise InputError(f"{info.name} heralds no pairs")
    return info.heralding


def _clicks(heralding: Heralding) -> _Five:
    if heralding.clicks is None:
        raise InputError("this link has no bright population")
    return heralding.clicks


def _weights(alpha: float) -> _Five:
    """What the clicks of `Heralding` weigh at a bright population."""
    mixed = alpha * (1 - alpha)
    return (1 - alpha) ** 2, mixed, mixed, alpha * alpha, mixed


def _by_click(overlaps: _Five) -> _Five:
    """What a pair in |00>, |01>, |10>, |11>, and its coherence, weigh, by the emitters that were bright.

    The herald's correction flips the second half: with the first emitter bright the pair is |11>, with the
    second |00>, with none |01>, with both |10>.
    """
    p00, p01, p10, p11, coherence = overlaps
    return p01, p11, p00, p10, coherence


def _overlaps(heralding: Heralding, storage_ns: int) -> _Five:
    """What the five numbers of a pair weigh in its fidelity, once both ends have heard, and kept it."""
    heard_ns = max(heralding.heralds_ns)
    times_ns = [
        age + heard_ns - herald + storage_ns
        for age, herald in zip(heralding.ages_ns, heralding.heralds_ns, strict=True)
    ]
    kept, lost_coherence = [], 0.0
    for time_ns, (t1_ns, t2_ns) in zip(times_ns, heralding.memories_ns, strict=True):
        kept.append(math.exp(-time_ns / t1_ns) if t1_ns else 1.0)
        if t2_ns:
            lost_coherence += time_ns / t2_ns
        elif t1_ns:
            lost_coherence += time_ns / (2 * t1_ns)
    first, second = kept
    both = first * second + (1 - first) * (1 - second)
    return 0.5, (1 - second) / 2, (1 - first) / 2, both / 2, math.exp(-lost_coherence)


def correlations(info: LinkInfo, alpha: float | None = None) -> tuple[float, float]:
    """ZZ, and XX (which is -YY), of a pair at its emission: what joins multiply."""
    heralding = _heralding(info)
    if alpha is None or alpha == heralding.alpha:
        p00, p01, p10, p11, coherence = heralding.pair
        return p00 + p11 - p01 - p10, 2 * coherence
    none, first, second, both, swing = (
        weight * click for weight, click in zip(_weights(alpha), _clicks(heralding), strict=True)
    )
    total = none + first + second + both
    return (first + second - none - both) / total, 2 * swing / total
