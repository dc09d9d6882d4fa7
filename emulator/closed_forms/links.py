"""Closed forms of heralded links: what theory says they must come out at.

Owns formulas, as the package says and by the same conventions: pure, independent of the emulator's own
arithmetic, no state, no draws. The channels build their states from branches and events
(heralding/single_click.py and its neighbours); tests and reports set one against the other.

Conventions: `first` and `second` are the ends' total detection probabilities, from the emitter to the
click; `dark` is the dark-click probability per detector and window; a visibility is that of
Hong-Ou-Mandel interference; fidelity is with the heralded Bell state.
"""

from __future__ import annotations

import math

# --- light at the station -------------------------------------------------------------------------


def dark_probability(dark_count_rate_hz: float, window_ns: float) -> float:
    """Probability of a dark click in a window: 1 - exp(-rate * window)."""
    return -math.expm1(-dark_count_rate_hz * window_ns * 1e-9)


def window_fraction(window_ns: float, lifetime_ns: float) -> float:
    """Part of an exponential emission that falls into a window from its start: 1 - exp(-W/tau)."""
    return -math.expm1(-window_ns / lifetime_ns)


# --- repetition -----------------------------------------------------------------------------------


def attempt_time(preparation: float, first_delay: float, second_delay: float) -> float:
    """Time from one attempt to the next with the station `first_delay` and `second_delay` away.

    Photons out, message back, preparation meanwhile: max(t_prep, 2 max(tau_A, tau_B)). That is L/c
    with the station in the middle and 2L/c with it at one end (sender and receiver); Jones et al.,
    New J. Phys. 18, 083015 (2016).
    """
    return max(preparation, 2 * first_delay, 2 * second_delay)


def waiting_time(success: float, attempt: float, light: float) -> float:
    """Mean time from the later request to the herald on a simple link: (1/p - 1) T + max(T, L/c).

    Attempts of T follow each other though `light` takes longer over the link (multiplexing in time: Simon
    et al., PRL 98, 190503 (2007)). A herald comes a light time after its light has left, and not before the
    end of its attempt.
    """
    return (1 / success - 1) * attempt + max(attempt, light)


def midpoint_success(pair: float, first: float, second: float) -> float:
    """A pair source in the middle and memories that latch: P = p_m eta_A eta_B, darks left out.

    Jones et al., New J. Phys. 18, 083015 (2016).
    """
    return pair * first * second


# --- single click ---------------------------------------------------------------------------------


def single_click_terms(
    alpha: float,
    first: float,
    second: float,
    dark: float,
    visibility: float = 1.0,
    published: bool = False,
) -> tuple[float, float, float, float]:
    """Probabilities (p_uu, p_ud, p_du, p_dd) of a herald with both emitters bright, one, none.

    `alpha` is the bright population. A herald is a click of just one of two threshold detectors: of two
    photons (1 - V)/2 part and make both click. `published`: the form of Humphreys et al., Nature 558, 268
    (2018), supplement, eq. 10, for small detection probabilities, which counts clicks of both.
    """
    if published:
        return _published_terms(alpha, first, second, dark)
    mixed, lost = alpha * (1 - alpha), (1 - first) * (1 - second)
    seen = 1 - lost - first * second * (1 - visibility) / 2
    return (
        alpha**2 * (1 - dark) * (seen + 2 * dark * lost),
        mixed * (1 - dark) * (first + 2 * dark * (1 - first)),
        mixed * (1 - dark) * (second + 2 * dark * (1 - second)),
        (1 - alpha) ** 2 * 2 * dark * (1 - dark),
    )


def _published_terms(
    alpha: float, first: float, second: float, dark: float
) -> tuple[float, float, float, float]:
    no_dark, any_dark = (1 - dark) ** 2, 1 - (1 - dark) ** 2
    one = no_dark * first + any_dark * (1 - first)
    other = no_dark * second + any_dark * (1 - second)
    either = first * (1 - second) + second * (1 - first) + first * second
    both = no_dark * either + any_dark * (1 - first) * (1 - second)
    mixed = alpha * (1 - alpha)
    return alpha**2 * both, mixed * one, mixed * other, (1 - alpha) ** 2 * any_dark


def single_click_success(
    alpha: float,
    first: float,
    second: float,
    dark: float = 0.0,
    visibility: float = 1.0,
    published: bool = False,
) -> float:
    """Success probability of one attempt: the sum of `single_click_terms`."""
    return math.fsum(single_click_terms(alpha, first, second, dark, visibility, published))


def single_click_fidelity(
    alpha: float,
    first: float,
    second: float,
    dark: float = 0.0,
    visibility: float = 1.0,
    phase_noise_rad: float = 0.0,
    double_excitation: float = 0.0,
    published: bool = False,
) -> float:
    """F = [(p_ud + p_du)/2 + c sqrt(V) exp(-sigma^2/2) (1 - p_2)] / P_succ. Mind the root of V.

    c is what one photon that is seen leaves, alpha (1 - alpha) (1 - d) sqrt(p_A p_B): a dark click has no
    coherence. `published`: c = sqrt(p_ud p_du), as if it had the photons' (Humphreys et al., Nature 558,
    268 (2018), supplement, eqs. 8 and 10).
    """
    terms = single_click_terms(alpha, first, second, dark, visibility, published)
    _, bright_dark, dark_bright, _ = terms
    seen = alpha * (1 - alpha) * (1 - dark) * math.sqrt(first * second)
    coherence = math.sqrt(bright_dark * dark_bright) if published else seen
    coherence *= (
        math.sqrt(visibility) * math.exp(-(phase_noise_rad**2) / 2) * (1 - double_excitation)
    )
    return ((bright_dark + dark_bright) / 2 + coherence) / math.fsum(terms)


def single_click_limit(alpha: float, detection: float) -> tuple[float, float]:
    """(P, F) for detection probabilities that are small and alike: (2 alpha p, 1 - alpha)."""
    return 2 * alpha * detection, 1 - alpha


# --- double click ---------------------------------------------------------------------------------


def double_click_success(
    first: float, second: float, dark: float = 0.0, visibility: float = 1.0
) -> float:
    """P = Y11 = (1-d)^2 [pA pB/2 + (2 pA + 2 pB - 3 pA pB) d + 4 (1-pA)(1-pB) d^2].

    Ma, Razavi, PRA 86, 062319 (2012), for photons alike; without darks pA pB/2 (Barrett, Kok, PRA 71, 060310
    (2005)). Two photons of one mode that differ leave by different ports with (1 - V)/2, and a dark
    click beside those two is no herald: (7 - V)/2 takes the place of the 3.
    """
    both = first * second
    one_dark = (2 * first + 2 * second - (7 - visibility) / 2 * both) * dark
    return (1 - dark) ** 2 * (both / 2 + one_dark + 4 * (1 - first) * (1 - second) * dark**2)


def double_click_error(
    first: float, second: float, dark: float = 0.0, visibility: float = 1.0
) -> float:
    """Error rate e11 of X measurements: e11 Y11 = Y11/2 - (1/2 - e_d) (1-d)^2 pA pB/2.

    Ma, Razavi, PRA 86, 062319 (2012), with e_d = (1 - V)/2 and Y11 at that visibility.
    """
    success = double_click_success(first, second, dark, visibility)
    return 0.5 - visibility / 2 * (1 - dark) ** 2 * first * second / 2 / success


def double_click_flips(
    first: float, second: float, dark: float = 0.0, visibility: float = 1.0
) -> float:
    """Error rate of Z measurements: (1-d)^2 [(pA + pB - (3 - V)/2 pA pB) d + 2 (1-pA)(1-pB) d^2] / Y11.

    Only dark clicks flip: from counting clicks, as Ma, Razavi, PRA 86, 062319 (2012) do for both bases.
    """
    one_dark = (first + second - (3 - visibility) / 2 * first * second) * dark
    wrong = (1 - dark) ** 2 * (one_dark + 2 * (1 - first) * (1 - second) * dark**2)
    return wrong / double_click_success(first, second, dark, visibility)


def double_click_limit(visibility: float) -> float:
    """F = (1 + V)/2 when dark clicks do not count."""
    return (1 + visibility) / 2


# --- delivery on a clock --------------------------------------------------------------------------


def link_efficiency(rate_hz: float, decoherence_rate_hz: float) -> float:
    """eta_link = r_ent / r_dec (Humphreys et al., Nature 558, 268 (2018))."""
    return rate_hz / decoherence_rate_hz


def delivered_fidelity(success: float, fidelity: float) -> float:
    """A pair delivered whatever comes: F_det = p_s F_s + (1 - p_s)/4 (Humphreys et al. 2018, eq. 1)."""
    return success * fidelity + (1 - success) / 4


def best_delivered_fidelity(efficiency: float) -> float:
    """F_det at its best clock: [1 + 3 eta^(1/(1 - eta))]/4 (Humphreys et al. 2018, eq. 2).

    For perfect pairs that decay at one rate; beyond 1/2 for eta_link above 0.83. At 1 its limit, e^-1.
    """
    if efficiency <= 0:
        return 0.25
    excess = efficiency - 1
    # log1p(x)/x with its limit where the quotient loses its digits.
    exponent = math.log(efficiency) / excess if abs(excess) > 1e-9 else 1 - excess / 2
    return (1 + 3 * math.exp(-exponent)) / 4
