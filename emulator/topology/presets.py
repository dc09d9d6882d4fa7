"""Hardware presets that come with qnetem: numbers somebody has published.

Owns the built-in tables, in the words of the file: hardware of nodes, which a file's own `hardware:` may
add to and replace, and fibres of links. Rule: a number stands here only with its source; what a source
does not give stays at its default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Preset:
    """`sections` as under `hardware:` in a file; `source` says where the numbers are from."""

    source: str
    sections: dict[str, dict[str, Any]]


PRESETS: dict[str, Preset] = {
    "ideal": Preset(
        source="by definition: nothing decays, nothing takes time, nothing errs",
        sections={
            "memory": {"t1": "none", "t2": "none"},
            "gates": {"single": "0 ns", "two": "0 ns", "single_error": 0.0, "two_error": 0.0},
            "measurement": {"duration": "0 ns", "error": 0.0},
        },
    ),
    "nv_centre": Preset(
        source="electron spin of a nitrogen-vacancy centre with dynamical decoupling: the Delft "
        "parameter set of 2019 as used by NetSquid-NV (T1 3600 s, T2 1.46 s, depolarising "
        "probability 0.02 of the electron-carbon gate)",
        sections={"memory": {"t1": "3600 s", "t2": "1.46 s"}, "gates": {"two_error": 0.02}},
    ),
}


@dataclass(frozen=True)
class FibreKind:
    """`values` as under a link's `quantum:`; `source` says where the numbers are from."""

    source: str
    values: dict[str, str]


#: The same fibres as channels/fibre.py has for Python, which a test holds them to.
FIBRES: dict[str, FibreKind] = {
    "standard": FibreKind(
        source="single-mode fibre of ITU-T G.652.D (2016) at 1550 nm, whose greatest polarisation-mode "
        "dispersion of a link this is; attenuation as usual for it",
        values={
            "attenuation": "0.2 dB/km",
            "dispersion": "17 ps/nm/km",
            "pmd": "0.2 ps/sqrt(km)",
        },
    ),
    "ultra_low_loss": FibreKind(
        source="Corning SMF-28 ULL, product information PI1470 (2014): at most 0.17 dB/km at 1550 nm",
        values={"attenuation": "0.17 dB/km"},
    ),
    "ultra_low_loss_0_16": FibreKind(
        source="Yin et al., Science 356, 1140 (2017): the best commercial fibre they compare with",
        values={"attenuation": "0.16 dB/km"},
    ),
}
