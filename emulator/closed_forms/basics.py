"""What every subject builds on: fibre, noise, memories, swapping, teleportation, waiting.

Conventions: fidelity is <phi|rho|phi> with Phi+; Bell-diagonal weights come in the order of the Bell
index (Phi+, Psi+, Phi-, Psi-), whose bits are the X and Z corrections; depolarising by p is
rho -> (1-p) rho + p I/d. Times of one formula share one unit.
"""

from __future__ import annotations

import math

from ..units import to_ns

#: Exact, by definition of the metre.
LIGHT_KM_PER_S = 299_792.458
#: Standard single-mode fibre at 1550 nm (SMF-28 data sheet).
GROUP_INDEX = 1.468

BellWeights = tuple[float, float, float, float]

# --- fibre ----------------------------------------------------------------------------------------


def transmittance(
    length_km: float, attenuation_db_per_km: float, insertion_loss_db: float = 0.0
) -> float:
    """eta = 10^(-(alpha L + IL)/10) (Agrawal, Fiber-Optic Communication Systems, section 2.5)."""
    return math.pow(10.0, -(attenuation_db_per_km * length_km + insertion_loss_db) / 10.0)


def fibre_latency_ns(length_km: float, group_index: float = GROUP_INDEX) -> int:
    """Time of flight n_g L / c in integer ns, at least 1 ns if L > 0; 4.897 us/km at 1550 nm."""
    return to_ns(group_index * length_km / LIGHT_KM_PER_S)


# --- noise and memories ---------------------------------------------------------------------------


def depolarising_qber(probability: float) -> float:
    """Error rate of a basis state sent through a depolarising channel: p/2."""
    return probability / 2


def depolarised_fidelity(probability: float) -> float:
    """Phi+ with one qubit sent through a depolarising channel: F = 1 - 3p/4."""
    return 1 - 0.75 * probability


def stored_phi_plus(time: float, t1: float, t2: float) -> float:
    """Phi+ with one qubit stored: F = [1 + exp(-t/T1) + 2 exp(-t/T2)]/4.

    From the amplitude and phase damping maps (Nielsen & Chuang, section 8.3) applied to one half.
    """
    return (1 + math.exp(-time / t1) + 2 * math.exp(-time / t2)) / 4


def dephased_phi_plus(time: float, t2: float, qubits: int = 1) -> float:
    """Phi+ with one or both qubits under pure dephasing: F = (1 + exp(-k t/T2))/2."""
    return (1 + math.exp(-qubits * time / t2)) / 2


def depolarised_memory(fidelity: float, time: float, lifetime: float) -> float:
    """A pair in a depolarising memory: F(t) = 1/4 + (F0 - 1/4) exp(-t/T); rates of both sides add."""
    return 0.25 + (fidelity - 0.25) * math.exp(-time / lifetime)


def dephased_weights(weights: BellWeights, time: float, t2: float) -> BellWeights:
    """Bell-diagonal weights with one qubit under pure dephasing for `time`.

    Phi+ and Phi- mix, Psi+ and Psi- mix: A' = (1+c)/2 A + (1-c)/2 D with c = exp(-t/T2).
    """
    flip = (1 - math.exp(-time / t2)) / 2
    return bell_diagonal_join(weights, (1 - flip, 0.0, flip, 0.0))


# --- swapping and teleportation -------------------------------------------------------------------


def werner_weights(fidelity: float) -> BellWeights:
    """Bell-diagonal weights of a Werner state of that fidelity."""
    rest = (1 - fidelity) / 3
    return (fidelity, rest, rest, rest)


def werner_join(*fidelities: float) -> float:
    """Werner pairs joined by ideal Bell measurements: (4F'-1)/3 = product of (4F-1)/3.

    For two, F' = F1 F2 + (1-F1)(1-F2)/3 (Briegel, Duer, Cirac, Zoller, PRL 81, 5932 (1998)).
    """
    return 0.25 + 0.75 * math.prod((4 * fidelity - 1) / 3 for fidelity in fidelities)


def werner_chain(fidelity: float, pairs: int, gate: float = 1.0, measurement: float = 1.0) -> float:
    """`pairs` equal Werner pairs in a row, joined with imperfect operations.

    F_L = 1/4 + 3/4 [p2 (4 eta^2 - 1)/3]^(L-1) [(4F-1)/3]^L, with the two-qubit gate's reliability p2
    (`gate`) and the correctness eta of one qubit's measurement (Briegel et al., PRL 81, 5932).
    """
    operations = gate * (4 * measurement**2 - 1) / 3
    return 0.25 + 0.75 * operations ** (pairs - 1) * ((4 * fidelity - 1) / 3) ** pairs


def bell_diagonal_join(first: BellWeights, second: BellWeights) -> BellWeights:
    """Two Bell-diagonal pairs joined by an ideal Bell measurement, after the correction.

    Pauli errors multiply, so the weights convolve over Z2 x Z2.
    """
    joined = [0.0] * 4
    for i, left in enumerate(first):
        for j, right in enumerate(second):
            joined[i ^ j] += left * right
    return (joined[0], joined[1], joined[2], joined[3])


def teleported(fidelity: float) -> float:
    """Average fidelity of teleportation through a pair of singlet fraction F: (2F+1)/3.

    Horodecki, Horodecki, Horodecki, PRA 60, 1888 (1999), for d = 2; 2/3 is the classical limit.
    """
    return (2 * fidelity + 1) / 3


# --- waiting --------------------------------------------------------------------------------------


def mean_attempts(success: float) -> float:
    """Mean number of attempts until the first success: 1/p."""
    return 1 / success


def mean_attempts_of_all(success: float, links: int) -> float:
    """Mean number of attempts until all of `links` parallel links have succeeded.

    E[max_n] = sum over k of (-1)^(k+1) C(n,k) / (1 - (1-p)^k); for two, (3-2p)/(p(2-p))
    (Bernardes, Praxmeyer, van Loock, PRA 83, 012323 (2011)). The alternating terms
    cancel digits; good for up to some 30 links.
    """
    if success >= 1:
        return 1.0
    failure_exponent = math.log1p(-success)
    return math.fsum(
        (-1) ** (k + 1) * math.comb(links, k) / -math.expm1(k * failure_exponent)
        for k in range(1, links + 1)
    )
