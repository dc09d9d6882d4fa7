"""Closed forms of eavesdropping on key distribution: what each attack costs, and what it tells.

Owns formulas, as the package says: pure, independent of the emulator's own arithmetic, no state, no draws.
What photon-number splitting does to the gains of decoys is in qkd.py. Conventions: `share` is the fraction
of the photons attacked; information is in bits per sifted bit.
"""

from __future__ import annotations

import math

from .qkd import binary_entropy, several_photons

# --- measure and resend ---------------------------------------------------------------------------


def intercept_resend_qber(share: float, baseline: float = 0.0) -> float:
    """QBER of measuring in one of two bases at random and resending: Q0 + (1 - 2 Q0) f/4.

    Bennett, Brassard, Proc. IEEE Int. Conf. Computers, Systems and Signal Processing 175 (1984).
    """
    return baseline + (1 - 2 * baseline) * share / 4


def intercept_resend_known(share: float) -> float:
    """Part of the sifted bits that the attacker knows for certain: f/2, where the bases agreed."""
    return share / 2


def detection_probability(compared: int, qber: float = 0.25) -> float:
    """That at least one of `compared` bits differs: 1 - (1 - Q)^m; 1 - (3/4)^m at full attack."""
    return -math.expm1(compared * math.log1p(-qber))


def intercepted_chsh(share: float, visibility: float = 1.0) -> float:
    """S = 2 sqrt2 (1 - f/2) V of a pair, one half of it measured in Z or X at random, and resent."""
    return 2 * math.sqrt(2) * (1 - share / 2) * visibility


def share_without_violation(visibility: float = 1.0) -> float:
    """The share of `intercepted_chsh` from which S is 2 or less; 0 where it is from the start."""
    return max(0.0, 2 * (1 - 1 / (math.sqrt(2) * visibility)))


def breidbart_guess() -> float:
    """Probability of a right guess in the basis half way between Z and X: cos^2(pi/8).

    Bennett, Bessette, Brassard, Salvail, Smolin, J. Cryptology 5, 3 (1992). Its QBER is 1/4 as well.
    """
    return math.cos(math.pi / 8) ** 2


# --- cloning --------------------------------------------------------------------------------------


def individual_attack_information(qber: float) -> float:
    """What the best attack on single photons tells at that QBER: 1 - h(1/2 + sqrt(Q (1-Q))).

    Fuchs, Gisin, Griffiths, Niu, Peres, PRA 56, 1163 (1997).
    """
    return 1 - binary_entropy(0.5 + math.sqrt(qber * (1 - qber)))


def individual_attack_limit() -> float:
    """The QBER at which that is as much as the receiver has, 1 - h(Q): (1 - 1/sqrt2)/2 (ibid.)."""
    return (1 - 1 / math.sqrt(2)) / 2


def phase_covariant_fidelity(angle: float) -> tuple[float, float]:
    """(receiver's clone, attacker's) of the cloner for the states of two bases: (1 + cos a)/2, (1 + sin a)/2.

    At 45 degrees both have (1 + 1/sqrt2)/2, an error rate of 14.64 % (Griffiths, Niu, PRA 56, 1173 (1997));
    `angle` is in degrees.
    """
    turned = math.radians(angle)
    return (1 + math.cos(turned)) / 2, (1 + math.sin(turned)) / 2


def universal_cloner_qber() -> float:
    """Error rate in every basis behind the best cloner of all states: 1 - 5/6 = 1/6.

    Buzek, Hillery, PRA 54, 1844 (1996).
    """
    return 1 / 6


# --- pulses with several photons ------------------------------------------------------------------


def photon_number_splitting_known(mu: float, gain: float) -> float:
    """Most that splitting tells of the clicks without any error: p_multi/Q, all from where Q is no more.

    Brassard, Luetkenhaus, Mor, Sanders, PRL 85, 1330 (2000).
    """
    return min(1.0, several_photons(mu) / gain)


def photon_number_splitting_limit(mu: float) -> float:
    """The transmittance up to which splitting may tell all of a signal without decoys.

    There 1 - e^-(eta mu) = p_multi: eta = -ln(1 - p_multi)/mu, some mu/2 (ibid.).
    """
    return -math.log1p(-several_photons(mu)) / mu


def photon_number_splitting_gain(
    mu: float,
    detector_efficiency: float,
    forward_singles: float = 0.0,
    forward_several: float = 1.0,
) -> float:
    """Gain behind the splitter and a line without loss: f1 p_1 eta + f2 sum_n>1 p_n [1 - (1-eta)^(n-1)].

    A share `forward_singles` of the single photons passes, and of pulses with several a share
    `forward_several`, with a photon less (ibid.).
    """
    single = mu * math.exp(-mu) * detector_efficiency
    return forward_singles * single + forward_several * _gain_of_several(mu, detector_efficiency)


def photon_number_splitting_shares(
    mu: float, detector_efficiency: float, gain: float
) -> tuple[float, float]:
    """(share of single photons, share of the others) that pass where the gain is to stay as it was (ibid.).

    Single photons are blocked first. Both are 1 where even that gives less.
    """
    several = _gain_of_several(mu, detector_efficiency)
    if several >= gain:
        return 0.0, gain / several
    return min(1.0, (gain - several) / (mu * math.exp(-mu) * detector_efficiency)), 1.0


def _gain_of_several(mu: float, efficiency: float) -> float:
    """sum_n>1 p_n [1 - (1-eta)^(n-1)] of Poissonian p_n."""
    missed = 0.0
    if efficiency < 1:
        left = 1 - efficiency
        missed = (math.exp(-mu * efficiency) - math.exp(-mu) * (1 + mu * left)) / left
    return several_photons(mu) - missed


def beam_splitting_known(mu: float, eta: float) -> float:
    """Part of the clicks of which the attacker has a photon: 1 - e^-(1-eta) mu; no error, no gain changes.

    The lost light goes to a memory instead of the line, which loses nothing then: both parts of a coherent
    state are independent (Bennett, Bessette, Brassard, Salvail, Smolin, J. Cryptology 5, 3 (1992)).
    """
    return -math.expm1(-(1 - eta) * mu)


# --- detectors ------------------------------------------------------------------------------------


def faked_states_gain(mu: float, share: float = 1.0) -> float:
    """Gain behind an attacker that blinds the detectors: f (1 - e^-mu)/2, whatever the line.

    It measures a share f of the pulses in one of two bases and sends faked states for what it saw, which
    click in its own basis alone. No error, no dark count, no double click. Lydersen, Wiechers, Wittmann,
    Elser, Skaar, Makarov, Nat. Photon. 4, 686 (2010).
    """
    return -share * math.expm1(-mu) / 2


def time_shift_information(efficiency_ratio: float) -> float:
    """What shifting pulses to where one detector is better tells of the clicks: 1 - h(1/(1+r)).

    `efficiency_ratio` r is the worse efficiency in the better one at that time; shifts to either side
    alike, so that bits stay even. No error (Qi, Fung, Lo, Ma, QIC 7, 73 (2007)).
    """
    return 1 - binary_entropy(1 / (1 + efficiency_ratio))


# --- light in and light out -----------------------------------------------------------------------


def trojan_phase_error(reflected_photons: float, single_yield: float, error: float) -> float:
    """Phase error rate when pulses of `reflected_photons` come back out of the sender.

    With D = (1 - e^-m cos m)/2 and D' = D/Y:
    e' = e + 4 D'(1-D')(1-2e) + 4 (1-2D') sqrt(D'(1-D') e (1-e)), 1/2 from D' = 1/2 on. Lucamarini, Choi,
    Ward, Dynes, Yuan, Shields, PRX 5, 031030 (2015), eqs. 6 and 7.
    """
    share = (1 - math.exp(-reflected_photons) * math.cos(reflected_photons)) / 2 / single_yield
    if share >= 0.5:
        return 0.5
    swing = math.sqrt(share * (1 - share) * error * (1 - error))
    return error + 4 * share * (1 - share) * (1 - 2 * error) + 4 * (1 - 2 * share) * swing
