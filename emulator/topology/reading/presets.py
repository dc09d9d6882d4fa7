"""Hardware presets that come with qnetem: published numbers.

Owns the built-in tables, in the words of the file: hardware of nodes, which a file's own `hardware:` may
add to and replace, fibres of links, and what heralds pairs on them. Does not own what is said of them to
users: docs/presets.md has every source and mark, word for word, which a test holds it to.

Rules: a number stands here only with its source, and with marks that say how it was checked (`MARKS`). What
a source does not give stays at its default. A preset follows one set of numbers; two sets are two presets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

#: Mark -> how a number was checked.
MARKS = {
    "P": "the paper itself, its text or abstract, was read",
    "S": "a public page or repository that quotes the paper was read",
    "D": "the parameter file of the software was read",
    "C": "computed from the values beside it",
    "R": "recalled, not checked against the source",
    "A": "assumed, because the source does not give it",
}


@dataclass(frozen=True)
class Preset:
    """`sections` as under `hardware:` in a file; `source`: where from; `marks`: how checked, see `MARKS`."""

    marks: str
    source: str
    sections: dict[str, dict[str, Any]]


#: Former names of presets -> what they are called now.
RENAMED = {"ingaas_self_differencing": "ingaas_sine_gated"}


PRESETS: dict[str, Preset] = {
    "ideal": Preset(
        marks="C",
        source="by definition: nothing decays, nothing takes time, nothing errs",
        sections={
            "memory": {
                "t1": "none",
                "t2": "none",
                "noise": "none",
                "initialisation": "0 ns",
                "initialisation_error": 0.0,
            },
            "gates": {"single": "0 ns", "two": "0 ns", "single_error": 0.0, "two_error": 0.0},
            "measurement": {"duration": "0 ns", "error": 0.0},
            "bell_measurement": {"success": 1.0},
        },
    ),
    "nv_centre": Preset(
        marks="D, C",
        source="electron spin of a nitrogen-vacancy centre with dynamical decoupling: the Delft "
        "parameter set of 2019 as used by NetSquid-NV, read there. T1 3600 s, T2 1.46 s; "
        "initialisation depolarises by 0.02, so that |0> has fidelity 0.99; the electron-carbon "
        "gate depolarises each of its qubits by 0.02, here the two together by 16/15 (1 - (1 - "
        "3/4 0.02)^2), which has the same process fidelity; readout errs with 0.05 and 0.005, "
        "here both their mean. It has no durations: nv_centre_avis_2023 is another set that has "
        "them.",
        sections={
            "memory": {"t1": "3600 s", "t2": "1.46 s", "initialisation_error": 0.02},
            "gates": {"two_error": 0.03176},
            "measurement": {"error": 0.0275},
        },
    ),
    "nv_centre_avis_2023": Preset(
        marks="D, C",
        source="the colour centres of Avis et al., arXiv:2207.10579 (2023), appendix A.5, as SquidASM's "
        "config_color_centers.yaml has them; the electron's values, because a node has one "
        "memory. Preparation takes 2 us and depolarises by 0.01, a rotation 5 ns and 0.01, "
        "readout 3.7 us and errs with 0.07 and 0.005, here both their mean; the electron-carbon "
        "gate takes 500 us and depolarises each of its qubits by 0.06, here the two together by "
        "16/15 (1 - (1 - 3/4 0.06)^2). T1 1 h, T2 0.5 s.",
        sections={
            "memory": {
                "t1": "3600 s",
                "t2": "0.5 s",
                "initialisation": "2 us",
                "initialisation_error": 0.01,
            },
            "gates": {
                "single": "5 ns",
                "two": "500 us",
                "single_error": 0.01,
                "two_error": 0.09384,
            },
            "measurement": {"duration": "3.7 us", "error": 0.0375},
        },
    ),
    "trapped_ion_avis_2023": Preset(
        marks="D, C",
        source="the trapped ions of Avis et al., arXiv:2207.10579 (2023), appendix A.6, as SquidASM's "
        "config_trapped_ions.yaml has them. Preparation takes 36 us, a rotation 26.6 us and "
        "depolarises by 0.02, a two-qubit gate 107 us and depolarises each of its qubits by 0.1, "
        "here the two together by 16/15 (1 - (1 - 3/4 0.1)^2), readout 1.5 ms. T2 85 ms, no T1. "
        "Preparation and readout have no errors there.",
        sections={
            "memory": {"t1": "none", "t2": "85 ms", "initialisation": "36 us"},
            "gates": {
                "single": "26.6 us",
                "two": "107 us",
                "single_error": 0.02,
                "two_error": 0.154,
            },
            "measurement": {"duration": "1.5 ms"},
        },
    ),
    "trapped_ion": Preset(
        marks="P, C",
        source="hyperfine qubit of 43Ca+, from the abstracts of three papers of one laboratory, none of "
        "which has it all: T2 of about 70 s, single-qubit gates of 4.4 to 35 us (here the "
        "slowest) with an error of 1.5e-7 at best, Smith et al., PRL 134, 230601 (2025); "
        "two-qubit gates of 331 us with an error of 0.5 %, Weber et al., arXiv:2402.12955 "
        "(2024); readout fidelity 99.77 %, Myerson et al., PRL 100, 200502 (2008). An error e is "
        "p = e d/(d-1), d the dimension. No T1: hyperfine ground states do not decay. It has no "
        "durations of preparation and readout: trapped_ion_avis_2023 is another set that has "
        "them.",
        sections={
            "memory": {"t1": "none", "t2": "70 s"},
            "gates": {
                "single": "35 us",
                "two": "331 us",
                "single_error": 3.0e-7,
                "two_error": 0.00667,
            },
            "measurement": {"error": 0.0023},
        },
    ),
    "snspd": Preset(
        marks="D",
        source="the detectors of the Delft parameter set of 2019 as used by NetSquid-NV: 0.80 and 20 "
        "Hz. They count photons of 637 nm, and the file does not say that they are "
        "superconducting; superconducting detectors that were measured as such are snspd_93 and "
        "later ones of up to 99.5 %, Chang et al. (2021).",
        sections={"detector": {"efficiency": 0.8, "dark_count_rate": "20 Hz"}},
    ),
    "snspd_93": Preset(
        marks="P",
        source="Marsili et al., Nat. Photon. 7, 210 (2013), title and abstract: 93 %, about 1 dark "
        "count a second of the shielded device, reset in 40 ns, jitter of about 150 ps",
        sections={
            "detector": {
                "efficiency": 0.93,
                "dark_count_rate": "1 Hz",
                "dead_time": "40 ns",
                "jitter": "150 ps",
            }
        },
    ),
    "ingaas": Preset(
        marks="R, A",
        source="inside the ranges of Hadfield, Nat. Photon. 3, 696 (2009), for gated InGaAs avalanche "
        "diodes, not checked there; the gate is assumed",
        sections={
            "detector": {
                "efficiency": 0.2,
                "dark_count_rate": "5 kHz",
                "dead_time": "10 us",
                "afterpulse": 0.03,
                "jitter": "300 ps",
                "gate": "1 ns",
            }
        },
    ),
    "ingaas_negative_feedback": Preset(
        marks="P",
        source="Korzh et al., Appl. Phys. Lett. 104, 081108 (2014), abstract: at -110 C 10 %, one dark "
        "count a second, 2.2 % of afterpulses with a dead time of 20 us",
        sections={
            "detector": {
                "efficiency": 0.1,
                "dark_count_rate": "1 Hz",
                "dead_time": "20 us",
                "afterpulse": 0.022,
            }
        },
    ),
    "ingaas_sine_gated": Preset(
        marks="P, A",
        source="simulation set of Lim, Curty, Walenta, Xu, Zbinden, PRA 89, 022307 (2014), whose "
        "detector is the sine-gated one of Walenta et al., J. Appl. Phys. 112, 063106 (2012); "
        "the gate is assumed",
        sections={
            "detector": {
                "efficiency": 0.1,
                "dark_count_rate": "600 Hz",
                "afterpulse": 0.04,
                "gate": "1 ns",
            }
        },
    ),
    "gys": Preset(
        marks="S, A",
        source="Gobby, Yuan, Shields, APL 84, 3762 (2004), as Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005), "
        "take it: 2 MHz, eta_Bob 0.045, Y0 1.7e-6 of two detectors, mu 0.48 and nu 0.05; the "
        "gate is assumed",
        sections={
            "source": {
                "kind": "weak_coherent",
                "rate": "2 MHz",
                "intensities": [0.48, 0.05, 0.0],
            },
            "detector": {"efficiency": 0.045, "dark_count_rate": "850 Hz", "gate": "1 ns"},
        },
    ),
    # Other whole systems: what changes with the distance (fibre, intensities) is the topology's.
    "lim_2014": Preset(
        marks="P, A",
        source="simulation set of Lim, Curty, Walenta, Xu, Zbinden, PRA 89, 022307 (2014): detection 10 "
        "%, 6e-7 dark counts per gate, afterpulse probability 0.04, third intensity 2e-4; the "
        "first two, how often each is sent, rate and gate are assumed",
        sections={
            "source": {
                "rate": "1 GHz",
                "intensities": [0.45, 0.18, 2e-4],
                "probabilities": [0.6, 0.3, 0.1],
            },
            "detector": {
                "efficiency": 0.1,
                "dark_count_rate": "600 Hz",
                "afterpulse": 0.04,
                "gate": "1 ns",
            },
        },
    ),
    "boaron_2018": Preset(
        marks="S, R, A",
        source="Boaron et al., PRL 121, 190502 (2018): 2.5 GHz, one decoy, intensities of 251.7 km as a "
        "public simulator quotes table I; 0.1 dark counts per second is recalled; detection 0.34 "
        "in all, gate and probabilities are assumed; its three states are sent as four",
        sections={
            "source": {
                "rate": "2.5 GHz",
                "intensities": [0.49, 0.18],
                "probabilities": [0.7, 0.3],
            },
            "detector": {"efficiency": 0.34, "dark_count_rate": "0.1 Hz", "gate": "300 ps"},
        },
    ),
    "micius_2017": Preset(
        marks="S",
        source="Liao et al., Nature 549, 43 (2017), as public repositories quote it (QuOSS, Baidu "
        "QNET): 100 MHz, intensities and how often each is sent, detectors of 50 % with a jitter "
        "of 350 ps, counts within 2 ns; 25 dark counts per second is an upper bound. The optics "
        "of the ground station, 16 %, are the link's loss: the published loss of the way "
        "contains them.",
        sections={
            "source": {
                "rate": "100 MHz",
                "intensities": [0.8, 0.1, 0.0],
                "probabilities": [0.5, 0.25, 0.25],
            },
            "detector": {
                "efficiency": 0.5,
                "dark_count_rate": "25 Hz",
                "jitter": "350 ps",
                "gate": "2 ns",
            },
        },
    ),
}


def _emitter(detected: float) -> Preset:
    """A nitrogen-vacancy centre of which `detected` is the total detection probability."""
    in_window = -math.expm1(-25 / 12)
    return Preset(
        marks="D, C",
        source="the Delft parameter set of 2019 as used by NetSquid-NV: an attempt each 5.5 us, lifetime "
        f"12 ns, window 25 ns, double excitation 0.04; collection from the total detection {detected:g}, "
        "without what the window cuts and the detector's 0.80",
        sections={
            "source": {
                "kind": "emitter",
                "rate": "181.818 kHz",
                "collection": detected / in_window / 0.80,
                "lifetime": "12 ns",
                "window": "25 ns",
                "double_excitation": 0.04,
            }
        },
    )


def _nv_memory(attempts: int, paper: str) -> Preset:
    """A nitrogen-vacancy centre whose nuclear spins lose 1/e of their coherence in so many attempts."""
    return Preset(
        marks="S, C",
        source="nuclear spins beside one electron spin, which alone entangles: their coherence falls to "
        f"1/e in {attempts} attempts, {paper}, as public pages quote it; per attempt the phase flips "
        f"with p = (1 - exp(-1/{attempts}))/2. To be named after a preset with gates and times.",
        sections={
            "memory": {
                "communication": 1,
                "dephasing_per_attempt": -math.expm1(-1 / attempts) / 2,
            }
        },
    )


PRESETS |= {
    "nv_memory_kalb_2017": _nv_memory(273, "Kalb et al., Science 356, 928 (2017)"),
    "nv_memory_pompili_2021": _nv_memory(1800, "Pompili et al., Science 372, 259 (2021)"),
    "nv_memory_hermans_2022": _nv_memory(5300, "Hermans et al., Nature 605, 663 (2022)"),
}

PRESETS |= {
    "nv_centre_emitter": _emitter(2.8e-4),
    "nv_centre_bright_emitter": _emitter(4.2e-4),
    "trapped_ion_emitter": Preset(
        marks="S, C",
        source="Stephenson et al., PRL 124, 110501 (2020), 88Sr+: p from heralds per attempt 2.18e-4 = "
        "p^2/2, the detectors' efficiency inside; the rate is that of 182 heralds a second",
        sections={
            "source": {
                "kind": "emitter",
                "rate": "835 kHz",
                "collection": math.sqrt(2 * 2.18e-4),
            }
        },
    ),
}


@dataclass(frozen=True)
class HeraldingPreset:
    """`values` as under a link's `entangle:`; `source` and `marks` as of `Preset`."""

    marks: str
    source: str
    values: dict[str, Any]


HERALDING: dict[str, HeraldingPreset] = {
    "delft_nv_2019": HeraldingPreset(
        marks="D",
        source="nitrogen-vacancy centres 2 m apart, Humphreys et al., Nature 558, 268 (2018), by the "
        "Delft parameter set of 2019 as used by NetSquid-NV, without cavity: total detection "
        "probabilities, visibility, phase noise, double excitation, dark counts, window, and 5.5 "
        "us an attempt; `alpha` is the user's to choose",
        values={
            "kind": "single_click",
            "preparation": "5.5 us",
            "detection": {"first": 2.8e-4, "second": 4.2e-4},
            "detector": {"dark_count_rate": "20 Hz", "window": "25 ns"},
            "visibility": 0.9,
            "phase_noise": "15 deg",
            "double_excitation": 0.04,
        },
    ),
    "oxford_sr_2020": HeraldingPreset(
        marks="S, C",
        source="88Sr+ ions 2 m apart, Stephenson et al., PRL 124, 110501 (2020): a herald in 2.18e-4 of "
        "the attempts, 182 a second, fidelity 0.940. Here `detection` is p of p^2/2 with equal "
        "nodes, `preparation` the mean time of an attempt with its share of cooling (the rate "
        "follows), and all infidelity is put down to `depolarising`, 4/3 (1 - F)",
        values={
            "kind": "double_click",
            "preparation": "1198 ns",
            "detection": {"first": 0.02088, "second": 0.02088},
            "depolarising": 0.08,
        },
    ),
}


@dataclass(frozen=True)
class FibreKind:
    """`values` as under a link's `quantum:`; `source` and `marks` as of `Preset`."""

    marks: str
    source: str
    values: dict[str, str]


FIBRES: dict[str, FibreKind] = {
    "standard": FibreKind(
        marks="R",
        source="single-mode fibre of ITU-T G.652.D (2016) at 1550 nm, whose greatest polarisation-mode "
        "dispersion of a link this is; attenuation as usual for it",
        values={
            "attenuation": "0.2 dB/km",
            "dispersion": "17 ps/nm/km",
            "pmd": "0.2 ps/sqrt(km)",
        },
    ),
    "deployed": FibreKind(
        marks="S, C",
        source="fibre in the ground with its splices and connectors: 0.39 to 0.51 dB/km, Stolk et al., "
        "Science Advances 10, eadp6442 (2024), and 17 dB over 35 km, Knaut et al., Nature 629, "
        "573 (2024); here the middle, 0.45 dB/km",
        values={"attenuation": "0.45 dB/km"},
    ),
    "ultra_low_loss": FibreKind(
        marks="P",
        source="Corning SMF-28 ULL, product information PI1470 (2014): at most 0.17 dB/km at 1550 nm",
        values={"attenuation": "0.17 dB/km"},
    ),
    "ultra_low_loss_0_16": FibreKind(
        marks="P",
        source="Yin et al., Science 356, 1140 (2017): the best commercial fibre they compare with",
        values={"attenuation": "0.16 dB/km"},
    ),
    "ultra_low_loss_0_157": FibreKind(
        marks="S",
        source="Liu et al., PRL 130, 210801 (2023): the spools of the 1002 km experiment lose less than "
        "that",
        values={"attenuation": "0.157 dB/km"},
    ),
    "ultra_low_loss_0_1419": FibreKind(
        marks="S",
        source="Tamura et al., J. Lightwave Technol. 36, 44 (2018): the lowest loss reported of a "
        "silica core, at 1560 nm",
        values={"attenuation": "0.1419 dB/km"},
    ),
}
