"""An optical fibre for single photons: how much gets through, how late, how damaged.

Owns the three numbers of a passage. Draws nothing: whether a photon survives is decided by whoever
holds the link's generator. Attenuation is power loss in dB/km.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from .. import closed_forms
from ..errors import InputError
from ..quantum import noise as maps
from ..quantum.pauli import Superoperator


@dataclass(frozen=True, slots=True)
class Fibre:
    """A fibre of `length_km`; `depolarising` and `dephasing` are probabilities per passage.

    Defaults are standard single-mode fibre at 1550 nm. Raises InputError for negative or non-finite
    values, probabilities beyond 1 and a group index below 1.
    """

    length_km: float
    attenuation_db_per_km: float = 0.2
    insertion_loss_db: float = 0.0
    group_index: float = closed_forms.GROUP_INDEX
    depolarising: float = 0.0
    dephasing: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < float("inf"):
                raise InputError(f"fibre: {field.name} is {value}, expected 0 or more")
        if self.group_index < 1:
            raise InputError(f"fibre: group_index is {self.group_index}, light is not that fast")
        maps.check_probability("fibre: depolarising", self.depolarising)
        maps.check_probability("fibre: dephasing", self.dephasing)

    @property
    def transmittance(self) -> float:
        """Probability that a photon put in comes out: eta = 10^(-(alpha L + IL)/10)."""
        return closed_forms.transmittance(
            self.length_km, self.attenuation_db_per_km, self.insertion_loss_db
        )

    @property
    def delay_ns(self) -> int:
        """Time of flight n_g L / c."""
        return closed_forms.fibre_latency_ns(self.length_km, self.group_index)

    def noise(self) -> Superoperator | None:
        """What a passage does to a photon that comes through; None if nothing."""
        if not self.depolarising and not self.dephasing:
            return None
        return maps.compose(maps.dephasing(self.dephasing), maps.depolarising(self.depolarising))
