"""What a topology predicts: the functions that `expect` may call.

Owns the readers of the topology (`pair('alice-r1')`, `latency('alice-r1', 'r1-bob')`) and hands out every
closed form (emulator/closed_forms) beside them.
Draws nothing and runs nothing: a prediction is a formula over the topology's parameters, so that it can
stand beside what a run has measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..emulator.closed_forms import basics
from ..emulator.errors import InputError
from .expressions import nearest

if TYPE_CHECKING:
    from ..emulator.heralding.attempts import Attempts, Density
    from ..emulator.loading import Topology
    from ..emulator.topology.model.entangle import EntangleSpec
    from ..emulator.topology.model.topology import LinkSpec, Memory, Quantum

_S = 1e-9

#: Readers of the topology: name -> (as it is called, what it gives, in which words).
READERS: Mapping[str, tuple[str, str, str]] = {
    "pair": (
        "pair(link)",
        "fidelity",
        "Fidelity with Phi+ of the link's pairs once both ends have heard of them.",
    ),
    "goodness": (
        "goodness(link)",
        "fidelity",
        "Fidelity with Phi+ of the link's pairs at emission.",
    ),
    "success": ("success(link)", "probability", "Probability that one attempt heralds a pair."),
    "attempt": ("attempt(link)", "s", "Duration of one attempt."),
    "depolarising": (
        "depolarising(link)",
        "probability",
        "p of rho -> (1-p) rho + p I/2 on the link's photons.",
    ),
    "dephasing": (
        "dephasing(link)",
        "probability",
        "p of rho -> (1-p) rho + p Z rho Z on the link's photons.",
    ),
    "transmittance": (
        "transmittance(link)",
        "transmittance",
        "Probability that a photon gets through, the gate included; with numbers the closed form.",
    ),
    "delay": ("delay(link)", "s", "A photon's time over the link."),
    "latency": ("latency(*link)", "s", "Classical latency over the links one after another."),
}


def functions(topology: Topology) -> dict[str, Callable[..., Any]]:
    """Every function an expectation may call: closed forms, and readers of this topology."""
    return {**formulas(), **_Readers(topology).table()}


def formulas() -> dict[str, Callable[..., Any]]:
    """Every closed form of the package, by its name."""
    from ..emulator.closed_forms.catalogue import closed_forms

    return {name: form.function for name, form in closed_forms().items() if "." not in name}


class _Readers:
    """Parameters of one topology's links, by link name. Times in seconds."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology

    def table(self) -> dict[str, Callable[..., float]]:
        """The readers by the names under which expressions call them."""
        return {
            "pair": self.pair,
            "success": self.success,
            "attempt": self.attempt,
            "goodness": self.goodness,
            "depolarising": self.depolarising,
            "dephasing": self.dephasing,
            "transmittance": self.transmittance_of,
            "delay": self.delay,
            "latency": self.latency,
        }

    def pair(self, link: str) -> float:
        """Fidelity with Phi+ of the link's pairs once both ends have heard of them.

        The state at emission, each half decayed in its end's memory since it was emitted. On a simple link
        that is a Werner state, and one photon delay ago.
        """
        spec, entangle = self._link(link), self._entangle(link)
        first, second = (self._topology.nodes[end].memory for end in spec.ends)
        noisy = first.noise is not None or second.noise is not None
        if entangle.kind == "simple":
            assert entangle.fidelity is not None
            first_ns = second_ns = spec.delay_ns
            if not noisy:
                return stored_werner(entangle.fidelity, first, second, first_ns)
            density = _werner(entangle.fidelity)
        else:
            source = self._attempts(link)
            heard_ns = max(source.timing.heralds_ns)
            first_ns, second_ns = (heard_ns - each for each in source.timing.emissions_ns)
            density = source.density()
        if noisy:
            return self._noisy_pair(spec, density, (first_ns, second_ns))
        return stored_pair(density, (first, first_ns), (second, second_ns))

    def _noisy_pair(self, spec: LinkSpec, density: Density, ages_ns: tuple[int, int]) -> float:
        """As `stored_pair`, where a memory has noise of the user's: no closed form has it."""
        from ..emulator.quantum.node.memories import decay_of
        from ..emulator.states.density_matrix import DensityMatrix
        from ..emulator.states.states import bell_vector

        state = DensityMatrix.from_density(density)
        for index, (end, age_ns) in enumerate(zip(spec.ends, ages_ns, strict=True)):
            decay = decay_of(self._topology, self._topology.nodes[end])
            if decay is not None:
                state = state.apply_map(decay.map(age_ns), [index])
        return state.fidelity(bell_vector(0))

    def success(self, link: str) -> float:
        """Probability that one attempt heralds a pair."""
        simple = self._entangle(link).success
        return self._attempts(link).success if simple is None else simple

    def attempt(self, link: str) -> float:
        """Duration of one attempt, in seconds."""
        simple_ns = self._entangle(link).attempt_ns
        return (self._attempts(link).attempt_ns if simple_ns is None else simple_ns) * _S

    def goodness(self, link: str) -> float:
        """Fidelity with Phi+ of the link's pairs at emission: what programs see as `goodness`."""
        simple = self._entangle(link).fidelity
        return self._attempts(link).fidelity if simple is None else simple

    def depolarising(self, link: str) -> float:
        """`p` of rho -> (1-p) rho + p I/2 on the link's photons."""
        return self._quantum(link).depolarising

    def dephasing(self, link: str) -> float:
        """`p` of rho -> (1-p) rho + p Z rho Z on the link's photons."""
        return self._quantum(link).dephasing

    def transmittance_of(
        self,
        length_km: Any,
        attenuation_db_per_km: float | None = None,
        insertion_loss_db: float = 0.0,
    ) -> float:
        """Of a link by its name, or of a fibre by its numbers (the closed form)."""
        if isinstance(length_km, str):
            return self.transmittance(length_km)
        if attenuation_db_per_km is None:
            raise InputError(
                "transmittance('alice-bob') of a link, or transmittance(length_km, attenuation_db_per_km)"
            )
        return basics.transmittance(float(length_km), attenuation_db_per_km, insertion_loss_db)

    def transmittance(self, link: str) -> float:
        """Probability that a photon gets through, the link's gate included."""
        quantum = self._quantum(link)
        if quantum.medium == "free_space":
            return self._through_space(link)
        return self._gated(link) * basics.transmittance(
            quantum.length_km, quantum.attenuation_db_per_km, quantum.insertion_loss_db
        )

    def _through_space(self, link: str) -> float:
        """As the emulator has it at time 0, of a link that does not change."""
        from ..emulator.kernel.streams import Streams
        from ..emulator.quantum.links.channels import light_channel_of

        spec = self._link(link)
        channel = light_channel_of(self._topology, spec, Streams(self._topology.seed))
        assert channel is not None
        if channel.medium.moves or any(self._topology.nodes[end].weather for end in spec.ends):
            raise InputError(f"the transmittance of {link} changes with time: expected a number")
        return channel.at(0, spec.ends[0]).survival

    def _gated(self, link: str) -> float:
        """Part of a pulse's spread that lies inside the link's gate."""
        quantum = self._quantum(link)
        if quantum.gate_ps is None:
            return 1.0
        from ..emulator.optics.dispersion import gate_fraction
        from ..emulator.quantum.links.channels import fibre_of, pulse_of

        fibre, pulse = fibre_of(self._link(link)), pulse_of(quantum)
        assert fibre is not None and pulse is not None, "validation asks for a pulse beside a gate"
        return gate_fraction(fibre.spread_ps(pulse), quantum.gate_ps)

    def delay(self, link: str) -> float:
        """A photon's time over the link, in seconds."""
        self._quantum(link)
        return self._link(link).delay_ns * _S

    def latency(self, *links: str) -> float:
        """Classical latency over the links one after another, in seconds."""
        if not links:
            raise InputError("latency needs at least one link")
        return sum(self._latency_ns(link) for link in links) * _S

    def _latency_ns(self, link: str) -> int:
        classical = self._link(link).classical
        if classical is None:
            raise InputError(f"link {link!r} has no classical channel")
        return classical.latency_ns

    def _quantum(self, link: str) -> Quantum:
        quantum = self._link(link).quantum
        if quantum is None:
            raise InputError(f"link {link!r} has no quantum channel")
        return quantum

    def _entangle(self, link: str) -> EntangleSpec:
        entangle = self._quantum(link).entangle
        if entangle is None:
            raise InputError(f"link {link!r} makes no pairs: it has no `entangle`")
        if entangle.kind == "simple" and self._quantum(link).medium == "free_space":
            self._check_steady(link)
        return entangle

    def _check_steady(self, link: str) -> None:
        """Raises InputError for a simple link through free space whose pairs change with time."""
        from ..emulator.heralding.attempts import SimpleLink
        from ..emulator.quantum.links.heralding import source_of

        if not isinstance(source_of(self._topology, self._link(link)), SimpleLink):
            raise InputError(f"the pairs of {link} change with time: expected a number")

    def _attempts(self, link: str) -> Attempts:
        """What a kind that is not simple comes to."""
        from ..emulator.heralding.attempts import Attempts
        from ..emulator.quantum.links.heralding import source_of

        source = source_of(self._topology, self._link(link))
        if not isinstance(source, Attempts):
            raise InputError(f"the pairs of {link} change with time: expected a number")
        return source

    def _link(self, link: str) -> LinkSpec:
        spec = self._topology.links.get(link)
        if spec is None:
            raise InputError(f"unknown link {link!r}{nearest(str(link), self._topology.links)}")
        return spec


def _werner(fidelity: float) -> Density:
    from ..emulator.states.states import werner

    return werner(fidelity)


def stored_werner(fidelity: float, first: Memory, second: Memory, time_ns: int) -> float:
    """Fidelity with Phi+ of a Werner pair after `time_ns` in two memories with T1 and T2.

    Heisenberg picture of amplitude damping and dephasing (Nielsen and Chuang, section 8.3): X and Y
    shrink by exp(-t/T2), Z goes to e Z + (1-e) I with e = exp(-t/T1); the Werner state has
    <XX> = -<YY> = <ZZ> = (4F-1)/3 and no local terms. Without a T2, relaxation alone limits coherence:
    T2 = 2 T1.
    """
    visibility = (4.0 * fidelity - 1.0) / 3.0
    coherence = _coherence(time_ns, first) * _coherence(time_ns, second)
    excited_first, excited_second = _kept(time_ns, first.t1_ns), _kept(time_ns, second.t1_ns)
    both_relaxed = (1.0 - excited_first) * (1.0 - excited_second)
    zz = excited_first * excited_second * visibility + both_relaxed
    return (1.0 + 2.0 * coherence * visibility + zz) / 4.0


def stored_pair(density: Density, first: tuple[Memory, int], second: tuple[Memory, int]) -> float:
    """Fidelity with Phi+ of any pair, shape (4, 4), each half after its time in ns in its memory.

    By the same picture as `stored_werner`: with c = exp(-t/T2) and e = exp(-t/T1) of each half, 4 F is
    1 + c c' (<XX> - <YY>) + e e' <ZZ> + e (1-e') <ZI> + (1-e) e' <IZ> + (1-e) (1-e').
    """
    (memory, time_ns), (other, other_ns) = first, second
    coherence = _coherence(time_ns, memory) * _coherence(other_ns, other)
    kept, other_kept = _kept(time_ns, memory.t1_ns), _kept(other_ns, other.t1_ns)
    p00, p01, p10, p11 = (float(density[i, i].real) for i in range(4))
    swing = 4.0 * float(density[0, 3].real)  # <XX> - <YY>
    zz, zi, iz = p00 - p01 - p10 + p11, p00 + p01 - p10 - p11, p00 - p01 + p10 - p11
    relaxed, other_relaxed = 1.0 - kept, 1.0 - other_kept
    parity = kept * other_kept * zz + kept * other_relaxed * zi + relaxed * other_kept * iz
    return (1.0 + coherence * swing + parity + relaxed * other_relaxed) / 4.0


def _coherence(time_ns: int, memory: Memory) -> float:
    if memory.t2_ns is None and memory.t1_ns is not None:
        return _kept(time_ns, 2 * memory.t1_ns)
    return _kept(time_ns, memory.t2_ns)


def _kept(time_ns: int, lifetime_ns: int | None) -> float:
    return 1.0 if lifetime_ns is None else math.exp(-time_ns / lifetime_ns)
