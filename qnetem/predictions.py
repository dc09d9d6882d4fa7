"""What a topology predicts: the functions that `expect` may call.

Owns the readers of the topology (`pair('alice-r1')`, `latency('alice-r1', 'r1-bob')`) and hands out the
public functions of emulator/closed_forms.py beside them. Draws nothing and runs nothing: a prediction
is a formula over the topology's parameters, so that it can stand beside what a run has measured.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

from .emulator import closed_forms
from .emulator.errors import InputError
from .expressions import nearest

if TYPE_CHECKING:
    from .emulator.topology import Topology
    from .emulator.topology.model import EntangleSpec, LinkSpec, Memory, Quantum

_S = 1e-9


def functions(topology: Topology) -> dict[str, Callable[..., float]]:
    """Every function an expectation may call: closed forms, and readers of this topology."""
    return _public_functions(closed_forms) | _Readers(topology).table()


def _public_functions(module: ModuleType) -> dict[str, Callable[..., float]]:
    """The module's own functions that give a number."""
    return {
        name: function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and inspect.signature(function).return_annotation in ("float", "int")
    }


class _Readers:
    """Parameters of one topology's links, by link name. Times in seconds."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology

    def table(self) -> dict[str, Callable[..., float]]:
        return {
            "pair": self.pair,
            "success": self.success,
            "attempt": self.attempt,
            "depolarising": self.depolarising,
            "dephasing": self.dephasing,
            "transmittance": self.transmittance,
            "delay": self.delay,
            "latency": self.latency,
        }

    def pair(self, link: str) -> float:
        """Fidelity with Phi+ of the link's pairs at the herald.

        A Werner state of the link's fidelity, decayed in the memories of both ends from emission (the
        midpoint's photon and herald take one photon delay of the link, at most one attempt).
        """
        spec = self._link(link)
        source = self._entangle(link)
        since_emission_ns = min(source.attempt_ns, spec.delay_ns)
        memories = [self._topology.nodes[end].memory for end in spec.ends]
        return stored_werner(source.fidelity, memories[0], memories[1], since_emission_ns)

    def success(self, link: str) -> float:
        """Probability that one attempt heralds a pair."""
        return self._entangle(link).success

    def attempt(self, link: str) -> float:
        """Duration of one attempt, in seconds."""
        return self._entangle(link).attempt_ns * _S

    def depolarising(self, link: str) -> float:
        """`p` of rho -> (1-p) rho + p I/2 on the link's photons."""
        return self._quantum(link).depolarising

    def dephasing(self, link: str) -> float:
        """`p` of rho -> (1-p) rho + p Z rho Z on the link's photons."""
        return self._quantum(link).dephasing

    def transmittance(self, link: str) -> float:
        """Probability that a photon gets through."""
        quantum = self._quantum(link)
        return closed_forms.transmittance(
            quantum.length_km, quantum.attenuation_db_per_km, quantum.insertion_loss_db
        )

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
        return entangle

    def _link(self, link: str) -> LinkSpec:
        spec = self._topology.links.get(link)
        if spec is None:
            raise InputError(f"unknown link {link!r}{nearest(str(link), self._topology.links)}")
        return spec


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


def _coherence(time_ns: int, memory: Memory) -> float:
    if memory.t2_ns is None and memory.t1_ns is not None:
        return _kept(time_ns, 2 * memory.t1_ns)
    return _kept(time_ns, memory.t2_ns)


def _kept(time_ns: int, lifetime_ns: int | None) -> float:
    return 1.0 if lifetime_ns is None else math.exp(-time_ns / lifetime_ns)
