"""Hardware presets that come with qnetem: numbers somebody has published.

Owns the built-in table, in the words of the file. A file's own `hardware:` may add presets and replace
these. Rule: a number stands here only with its source; what a source does not give stays at its default.
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
