"""Reference vectors 6: joining, purifying, waiting, correcting, routing."""

from __future__ import annotations

import math
from functools import lru_cache, partial

from ...emulator import closed_forms
from ...emulator.closed_forms import BellWeights, purification, waiting
from ...emulator.closed_forms import codes as code_forms
from ..emulated import circuits, codes, runs, waits
from ..vectors import Sample, Source, Vector, absolute, item, relative, sigmas

TITLES = {
    "6.1": "Swapping and teleportation",
    "6.2": "Purification",
    "6.3": "Waiting, in attempts",
    "6.4": "Nested repeater: gates and measurements 0.99, two pairs joined a level",
    "6.5": "Quantum error correction",
    "6.6": "Paths: expected pairs per attempt, swaps 0.9, links 0.6",
}

_JOIN = Source("Werner pairs: (4F'-1)/3 = product of (4F-1)/3; circuits")
_CONVOLVE = Source("Bell-diagonal pairs: p' = p * q over Z2 x Z2, A' = A1A2+B1B2+C1C2+D1D2")
_BRIEGEL = Source("Briegel, Duer, Cirac, Zoller, PRL 81, 5932 (1998)")
_TELEPORT = Source("Horodecki, PRA 60, 1888 (1999): (2F+1)/3; whole runs")
_BENNETT = Source("Bennett et al., PRL 76, 722 (1996), and as a circuit of four qubits")
_DEUTSCH = Source("Deutsch et al., PRL 77, 2818 (1996), and as a circuit of four qubits")
_DUER = Source("Duer, Briegel, Cirac, Zoller, PRA 59, 169 (1999), and as a circuit")
_SLOWEST = Source("Bernardes, Praxmeyer, van Loock, PRA 83, 012323 (2011)")
_CHAIN = Source("Brand, Coopmans, Elkouss, IEEE JSAC 38, 619 (2020)")
_CUTOFF = Source("two geometric links, both given up after the cut-off")
_REPETITION = Source("Nielsen, Chuang, section 10.1: 3p^2 - 2p^3")
_FIVE = Source("Laflamme et al., PRL 77, 198 (1996): any two errors fail")
_ODD = Source("independent flips: (1 - (1-2p)^N)/2")
_STEANE = Source("Steane, PRL 77, 793 (1996), one type of error, all patterns counted")
_DETECT = Source("[[4,2,2]] code under depolarising noise, all patterns counted")
_PARITY = Source("Muralidharan et al., PRL 112, 250501 (2014), loss alone")
_EXT = Source("Shi, Qian, SIGCOMM 2020, exponent as in the authors' program")

#: Weights of two pairs, in the order of the Bell index.
_UNEQUAL: list[BellWeights] = [(0.7, 0.1, 0.05, 0.15), (0.8, 0.06, 0.04, 0.1)]

# --- purification ---------------------------------------------------------------------------------

_BBPSSW_TABLE = [
    (0.60, 0.6204380, 0.6088889), (0.70, 0.7352941, 0.6800000), (0.75, 0.7884615, 0.7222222),
    (0.80, 0.8381503, 0.7688889), (0.90, 0.9263959, 0.8755556), (0.95, 0.9649644, 0.9355556),
]  # fmt: skip
_DEJMPS_TABLE = [
    (1, 0.735294, 0.680000), (2, 0.845946, 0.640138), (3, 0.934395, 0.766253),
    (4, 0.972004, 0.898387), (5, 0.996964, 0.947670),
]  # fmt: skip
#: (A, B, C, D) = (Phi+, Psi-, Psi+, Phi-), the papers' order: before, after, success.
_DEJMPS_PAIRS = [
    ((0.8, 0.05, 0.1, 0.05), (0.862416, 0.013423, 0.016779, 0.107383), 0.745),
    ((0.75, 0.02, 0.03, 0.2), (0.871632, 0.018582, 0.063332, 0.046454), 0.6458),
]
_FIXED_POINTS = [
    (0.99, 0.99, 0.54686, 0.97376),
    (0.995, 0.995, 0.52226, 0.98790),
    (0.98, 0.99, 0.57782, 0.94280),
]
_NOISY = [(0.9, 0.99, 0.99, 0.916597, 0.853506), (0.95, 1.0, 0.98, 0.962961, 0.901408)]


def bell_index_order(papers: tuple[float, float, float, float]) -> BellWeights:
    """(Phi+, Psi-, Psi+, Phi-) as (Phi+, Psi+, Phi-, Psi-)."""
    phi_plus, psi_minus, psi_plus, phi_minus = papers
    return phi_plus, psi_plus, phi_minus, psi_minus


def twirled_rounds(fidelity: float, rounds: int) -> float:
    """Fidelity after rounds of Bennett et al., a twirl after each."""
    for _ in range(rounds):
        fidelity, _ = purification.bbpssw(fidelity)
    return fidelity


def _bbpssw_vectors() -> list[Vector]:
    vectors = []
    for fidelity, better, success in _BBPSSW_TABLE:
        for index, (name, expected) in enumerate((("F'", better), ("success", success))):
            vectors += [
                Vector("6.2", f"BBPSSW, {fidelity}: {name}", expected, absolute(5.1e-8),
                       _BENNETT, item(index, purification.bbpssw, fidelity)),
                Vector("6.2", f"BBPSSW, {fidelity}: {name}, circuit", expected,
                       absolute(5.1e-8), _BENNETT,
                       item(index, circuits.werner_purified, fidelity)),
            ]  # fmt: skip
    return vectors


def _dejmps_fidelity(weights: BellWeights, rounds: int) -> float:
    return circuits.dejmps_rounds(weights, rounds)[0][0]


def _dejmps_success(weights: BellWeights, rounds: int) -> float:
    return circuits.dejmps_rounds(weights, rounds)[1]


def _dejmps_weight(weights: BellWeights, bell: int) -> float:
    return purification.dejmps(weights, weights)[0][bell]


def _dejmps_formula_success(weights: BellWeights) -> float:
    return purification.dejmps(weights, weights)[1]


def _dejmps_vectors() -> list[Vector]:
    start: BellWeights = (0.7, 0.1, 0.1, 0.1)
    vectors = []
    for rounds, fidelity, success in _DEJMPS_TABLE:
        vectors += [
            Vector("6.2", f"DEJMPS, 0.7, round {rounds}: F", fidelity, absolute(5.1e-7), _DEUTSCH,
                   partial(_dejmps_fidelity, start, rounds)),
            Vector("6.2", f"DEJMPS, 0.7, round {rounds}: success", success, absolute(5.1e-7),
                   _DEUTSCH, partial(_dejmps_success, start, rounds)),
        ]  # fmt: skip
    for papers, after, success in _DEJMPS_PAIRS:
        weights = bell_index_order(papers)
        for bell, expected in enumerate(bell_index_order(after)):
            name = ("Phi+", "Psi+", "Phi-", "Psi-")[bell]
            vectors.append(
                Vector("6.2", f"DEJMPS, {weights[0]:.2f} ...: {name}", expected, absolute(5.1e-7),
                       _DEUTSCH, partial(_dejmps_weight, weights, bell))
            )  # fmt: skip
        vectors.append(
            Vector("6.2", f"DEJMPS, {weights[0]:.2f} ...: success", success, absolute(5.1e-7),
                   _DEUTSCH, partial(_dejmps_formula_success, weights))
        )  # fmt: skip
    return vectors


def _noisy_vectors() -> list[Vector]:
    vectors = []
    for gate, measurement, low, high in _FIXED_POINTS:
        for index, (name, expected) in enumerate((("F_min", low), ("F_max", high))):
            vectors.append(
                Vector("6.2", f"gates {gate}, meas. {measurement}: {name}", expected,
                       absolute(1e-5), _DUER, item(index, purification.purification_range, gate, measurement))
            )  # fmt: skip
    for fidelity, gate, measurement, better, success in _NOISY:
        for index, (name, expected) in enumerate((("F'", better), ("success", success))):
            vectors += [
                Vector("6.2", f"noisy, F = {fidelity}: {name}", expected, absolute(5.1e-7), _DUER,
                       item(index, purification.noisy_bbpssw, fidelity, gate, measurement)),
                Vector("6.2", f"noisy, F = {fidelity}: {name}, circuit", expected,
                       absolute(5.1e-7), _DUER,
                       item(index, circuits.werner_purified, fidelity, gate, measurement)),
            ]  # fmt: skip
    return vectors


# --- waiting --------------------------------------------------------------------------------------

_SLOWEST_TABLE = {
    0.1: (14.736842, 17.900563, 20.273378, 26.295784),
    0.01: (149.748744, 182.915131, 207.789922, 270.924509),
    0.5: (2.666667, 3.142857, 3.504762, 4.421078),
}
_LINKS = (2, 3, 4, 8)
#: p/(2-p) [1 + 2 q e^-r/(1 - q e^-r)] at p = 0.1, r = 0.05.
_DECAYED = 0.1 / 1.9 * (1 + 1.8 * math.exp(-0.05) / (1 - 0.9 * math.exp(-0.05)))


def _with_cutoff(cutoff: int, index: int) -> Sample:
    return waits.with_cutoff(0.1, cutoff)[index]


# --- nested ---------------------------------------------------------------------------------------

_ROUNDS = [
    (0.91474, 0.851), (0.92862, 0.870), (0.93967, 0.885), (0.94828, 0.898), (0.95486, 0.908),
    (0.95982, 0.916),
]  # fmt: skip


@lru_cache(maxsize=8)
def nested_round(rounds: int) -> tuple[float, float]:
    """(F, last success) after noisy rounds on two joined pairs of 0.96, as circuits with a twirl."""
    fidelity, success = circuits.noisily_joined(0.96, 0.99, 0.99), 1.0
    for _ in range(rounds):
        fidelity, success = circuits.werner_purified(fidelity, 0.99, 0.99)
    return fidelity, success


VECTORS = [
    *(Vector("6.1", f"0.9, 0.9 joined, {formalism}", 0.813333, absolute(5.1e-7), _JOIN,
             partial(circuits.werner_joined, [0.9, 0.9], formalism))
      for formalism in ("bell_diagonal", "density_matrix")),
    Vector("6.1", "0.8 and 0.95 joined", 0.763333, absolute(5.1e-7), _JOIN,
           lambda: circuits.werner_joined([0.8, 0.95], "auto")),
    Vector("6.1", "eight pairs of 0.98 joined", 0.854163, absolute(5.1e-7), _JOIN,
           lambda: circuits.werner_joined([0.98] * 8, "auto")),
    *(Vector("6.1", f"unequal pairs, {formalism}", 0.7 * 0.8 + 0.1 * 0.06 + 0.05 * 0.04 + 0.15 * 0.1,
             relative(1e-10), _CONVOLVE, partial(circuits.joined, _UNEQUAL, formalism))
      for formalism in ("auto", "density_matrix")),
    Vector("6.1", "noisy 0.96, 0.99: 2, circuit", 0.897756, absolute(5.1e-7), _BRIEGEL,
           lambda: circuits.noisily_joined(0.96, 0.99, 0.99)),
    *(Vector("6.1", f"noisy 0.96, 0.99: {pairs} pairs", expected, absolute(5.1e-7), _BRIEGEL,
             partial(closed_forms.werner_chain, 0.96, pairs, 0.99, 0.99))
      for pairs, expected in ((2, 0.897756), (4, 0.789161), (8, 0.623536))),
    Vector("6.1", "teleported over a pair of 0.9", 2.8 / 3, relative(1e-9), _TELEPORT,
           lambda: runs.teleported([0.9])),
    Vector("6.1", "over a repeater and 0.9, 0.9", (2 * 2.44 / 3 + 1) / 3, relative(1e-9),
           _TELEPORT, lambda: runs.teleported([0.9, 0.9])),
    *_bbpssw_vectors(),
    *(Vector("6.2", f"BBPSSW with twirl, 0.7, round {rounds}", expected, absolute(5.1e-5), _BENNETT,
             partial(twirled_rounds, 0.7, rounds))
      for rounds, expected in enumerate((0.7353, 0.7732, 0.8119, 0.8495, 0.8837), 1)),
    *_dejmps_vectors(),
    *_noisy_vectors(),
    *(Vector("6.3", f"all of {links} links, p = {p}", expected, absolute(5.1e-7), _SLOWEST,
             partial(closed_forms.mean_attempts_of_all, p, links))
      for p, row in _SLOWEST_TABLE.items()
      for links, expected in zip(_LINKS, row, strict=True)),
    *(Vector("6.3", f"all of {links} links, p = 0.1, drawn", expected, sigmas(), _SLOWEST,
             partial(waits.slowest, 0.1, links))
      for links, expected in zip(_LINKS, _SLOWEST_TABLE[0.1], strict=True)),
    Vector("6.3", "lag of two links, p = 0.1", 1.8 / 0.19, relative(1e-10), _SLOWEST,
           lambda: waiting.mean_lag(0.1)),
    Vector("6.3", "lag of two links, p = 0.1, drawn", 1.8 / 0.19, sigmas(), _SLOWEST,
           lambda: waits.lag(0.1)),
    Vector("6.3", "both at once, p = 0.1, drawn", 0.1 / 1.9, sigmas(), _SLOWEST,
           lambda: waits.together(0.1)),
    Vector("6.3", "e^(-0.05 lag), p = 0.1", _DECAYED, relative(1e-10), _SLOWEST,
           lambda: waiting.mean_decay_of_lag(0.1, 0.05)),
    Vector("6.3", "e^(-0.05 lag), p = 0.1, drawn", _DECAYED, sigmas(), _SLOWEST,
           lambda: waits.decayed(0.1, 0.05)),
    *(Vector("6.3", f"{2**levels} links, p = 0.1, swaps {swap}", expected, absolute(5.1e-7), _CHAIN,
             partial(waiting.mean_attempts_of_chain, 0.1, swap, levels))
      for swap, levels, expected in ((0.5, 1, 29.473684), (0.5, 2, 84.817580),
                                     (0.9, 3, 37.365644))),
    Vector("6.3", "2 links, 0.1, swaps 0.5, drawn", 29.473684, sigmas(), _CHAIN,
           lambda: waits.swapped(0.1, 0.5)),
    *(Vector("6.3", f"cut-off {cutoff}, p = 0.1: attempts", expected, absolute(5.1e-5), _CUTOFF,
             partial(waiting.mean_attempts_with_cutoff, 0.1, cutoff))
      for cutoff, expected in ((5, 20.7512), (20, 15.3534))),
    *(Vector("6.3", f"cut-off {cutoff}, p = 0.1: stored for", expected, absolute(5.1e-6), _CUTOFF,
             partial(waiting.mean_storage_with_cutoff, 0.1, cutoff))
      for cutoff, expected in ((5, 2.45697), (20, 6.80176))),
    *(Vector("6.3", f"cut-off {cutoff}: {name}, drawn", expected, sigmas(), _CUTOFF,
             partial(_with_cutoff, cutoff, index))
      for cutoff, row in ((5, (20.7512, 2.45697)), (20, (15.3534, 6.80176)))
      for index, (name, expected) in enumerate(zip(("attempts", "stored for"), row, strict=True))),
    Vector("6.4", "two pairs of 0.96 joined", 0.89776, absolute(5.1e-6), _BRIEGEL,
           lambda: nested_round(0)[0]),
    *(Vector("6.4", f"round {rounds}: F", fidelity, absolute(5.1e-6), _BRIEGEL,
             item(0, nested_round, rounds))
      for rounds, (fidelity, _) in enumerate(_ROUNDS, 1)),
    *(Vector("6.4", f"round {rounds}: success", success, absolute(5.1e-4), _BRIEGEL,
             item(1, nested_round, rounds))
      for rounds, (_, success) in enumerate(_ROUNDS, 1)),
    Vector("6.5", "three qubits, majority, p = 0.1", 0.028, relative(1e-10), _REPETITION,
           lambda: code_forms.repetition_logical_error(0.1)),
    Vector("6.5", "five qubits, p = 0.1", 1 - 0.9**5 - 0.5 * 0.9**4, relative(1e-10), _FIVE,
           lambda: code_forms.distance_three_logical_error(5, 0.1)),
    Vector("6.5", "flips of 0.01 on 10 hops", (1 - 0.98**10) / 2, relative(1e-10), _ODD,
           lambda: code_forms.odd_flips(0.01, 10)),
    *(Vector("6.5", name, expected, relative(1e-5), _STEANE,
             compute)
      for flip, expected in ((0.01, 2.00407e-3), (0.05, 4.14863e-2), (0.1, 0.1306432))
      for name, compute in ((f"Steane, q = {flip}", partial(code_forms.steane_logical_error, flip)),
                            (f"Steane, q = {flip}, circuit", partial(codes.steane_wrong, flip)))),
    *(Vector("6.5", f"[[4,2,2]], {p}: {name}{how}", expected, relative(1e-5), _DETECT,
             item(index, compute, p))
      for p, accepted, wrong in ((0.001, 0.996008, 2.0049e-6), (0.01, 0.960793, 2.04937e-4),
                                 (0.05, 0.819126, 5.63948e-3))
      for index, (name, expected) in enumerate((("kept", accepted), ("wrong", wrong)))
      for how, compute in (("", code_forms.detection_code), (", circuit", codes.detected))),
    *(Vector("6.5", f"parity code ({blocks},{photons}), eta {eta}", expected, absolute(5.1e-6),
             _PARITY, partial(code_forms.parity_code_success, blocks, photons, eta))
      for blocks, photons, eta, expected in ((3, 3, 0.9, 0.97732), (3, 3, 0.95, 0.996731),
                                             (6, 5, 0.9, 0.995225), (13, 6, 0.9, 0.999935))),
    *(Vector("6.6", f"width {width}, {hops} hops", expected, absolute(5.1e-7), _EXT,
             partial(waiting.expected_throughput, width, [0.6] * hops, 0.9))
      for width, hops, expected in ((1, 3, 0.174960), (2, 3, 0.517882), (3, 3, 0.892783),
                                    (2, 5, 0.278356), (3, 6, 0.440849))),
]  # fmt: skip
