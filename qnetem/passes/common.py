"""Common passes: when a source of pairs sees two stations at once, and what both arms may bring.

Owns the pairs of links that a source of pairs has, and their common passes as rows. Does not own the passes
of one link (passes.py) nor the formulas (emulator/closed_forms).

Rule: coincidences are those of a clear sky, with the losses that the emulator would use. The key is that of
BBM92 without a limit of finite size and with next to all bits in the basis of the key: no run has more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

from ..agents.contacts import at_once
from ..emulator.closed_forms.pair_streams import PairStream
from ..emulator.closed_forms.qkd import binary_entropy, pair_gain, pair_qber
from ..emulator.devices.detectors import Detector
from ..emulator.errors import ProgramError, UnitError
from ..emulator.loading import Topology
from ..emulator.optics.free_space import GRID_NS
from ..emulator.quantum.pulses.sending import PAIR_KINDS
from ..emulator.topology.model.topology import NodeSpec
from ..emulator.units import parse_quantity
from .passes import LinkPasses


@dataclass(frozen=True, slots=True)
class CommonRow:
    """A common pass. Times in ns of virtual time; ranges and losses are those at the moment of least loss.

    `pairs` are the coincidences that are to be expected in all, None where nothing says how wide their window
    is; `key_bits` as the module says.
    """

    source: str
    ends: tuple[str, str]
    start_ns: int
    end_ns: int
    best_ns: int
    ranges_km: tuple[float, float]
    losses_db: tuple[float, float]
    night: bool | None
    pairs: float | None
    key_bits: float | None

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.start_ns) * 1e-9


class CommonPasses:
    """The common passes of two arms of a source of pairs."""

    def __init__(
        self, topology: Topology, source: str, arms: tuple[LinkPasses, LinkPasses]
    ) -> None:
        self.source, self.arms, self._topology = source, arms, topology
        first, second = (_other_end(arm, source) for arm in arms)
        self.ends = first, second

    def rows(self, until_ns: int) -> list[CommonRow]:
        """All common passes up to a moment."""
        plans = [[(row.start_ns, row.end_ns) for row in arm.rows(until_ns)] for arm in self.arms]
        return [self._row(*both) for both in at_once(plans[0], plans[1])]

    def losses(self, start_ns: int, end_ns: int) -> list[tuple[int, float, float]]:
        """(moment, loss of either arm in dB), cell by cell."""
        one, other = (arm.moments(start_ns, end_ns) for arm in self.arms)
        return [
            (mine.t_ns, mine.loss_db, its.loss_db) for mine, its in zip(one, other, strict=True)
        ]

    def _row(self, start_ns: int, end_ns: int) -> CommonRow:
        losses = self.losses(start_ns, end_ns)
        best_ns, one, other = min(losses, key=lambda each: (each[1] + each[2], each[0]))
        nights = [arm.night(best_ns) for arm in self.arms]
        first, second = (arm.geometry.range_km(best_ns) for arm in self.arms)
        pairs, bits = self._yield(start_ns, end_ns, losses)
        return CommonRow(
            source=self.source,
            ends=self.ends,
            start_ns=start_ns,
            end_ns=end_ns,
            best_ns=best_ns,
            ranges_km=(first, second),
            losses_db=(one, other),
            night=None if None in nights else all(nights),
            pairs=pairs,
            key_bits=bits,
        )

    def _yield(
        self, start_ns: int, end_ns: int, losses: list[tuple[int, float, float]]
    ) -> tuple[float | None, float | None]:
        """(coincidences, bits of key) of a pass."""
        window_ns = self._window_ns()
        if window_ns is None:
            return None, None
        pairs = bits = 0.0
        at_ns = start_ns
        for _, one, other in losses:
            after_ns = min(end_ns, (at_ns // GRID_NS + 1) * GRID_NS)
            rate_hz, qber = self._rate(at_ns, window_ns, one, other)
            lasts_s, at_ns = (after_ns - at_ns) * 1e-9, after_ns
            pairs += rate_hz * lasts_s
            bits += rate_hz * lasts_s * max(0.0, 1 - 2 * binary_entropy(min(0.5, qber)))
        return pairs, bits

    def _window_ns(self) -> float | None:
        """Of coincidences: a slot, or what an option of an end says; None where none does."""
        source = self._topology.nodes[self.source].source
        assert source is not None
        if source.clocked:
            return source.period_ps / 1e3
        for end in self.ends:
            node = self._topology.nodes[end]
            for options in (node.options, *(each.options for each in node.services.values())):
                try:
                    return parse_quantity(options["window"], "short time") / 1e3
                except (KeyError, TypeError, UnitError, ProgramError):
                    continue
        return None

    def _rate(self, t_ns: int, window_ns: float, *losses_db: float) -> tuple[float, float]:
        """(coincidences a second, their error rate) at these losses, under the sky of a time."""
        source = self._topology.nodes[self.source].source
        assert source is not None
        specs = [self._topology.nodes[end].detector for end in self.ends]
        etas, darks_hz, jitters_ps = [], [], []
        for spec, arm, loss_db in zip(specs, self.arms, losses_db, strict=True):
            assert spec is not None
            etas.append(spec.efficiency * spec.transmittance * 10 ** (-loss_db / 10))
            darks_hz.append(arm.dark_counts(spec, source, t_ns) / (source.period_ps * 1e-12))
            jitters_ps.append(Detector(1.0, jitter_fwhm_ps=spec.jitter_fwhm_ps).jitter_sigma_ps())
        e_d = (1 - self._visibility()) / 2
        if source.clocked:
            darks = [rate * source.period_ps * 1e-12 for rate in darks_hz]
            mean = source.mean_pairs or 0.0
            gain = pair_gain(mean, (etas[0], etas[1]), (darks[0], darks[1]))
            error = pair_qber(mean, (etas[0], etas[1]), (darks[0], darks[1]), e_d)
            return gain * 1e12 / source.period_ps, error
        stream = PairStream(
            pair_rate_hz=source.pair_rate_hz or 0.0,
            eta_a=etas[0],
            eta_b=etas[1],
            dark_a_hz=darks_hz[0],
            dark_b_hz=darks_hz[1],
            e_d=e_d,
            window_ns=window_ns,
            jitter_ns=math.hypot(*jitters_ps) / 1e3,
        )
        return stream.true_hz() + stream.accidental_hz(), stream.qber()

    def _visibility(self) -> float:
        source = self._topology.nodes[self.source].source
        assert source is not None
        found = 1.0 if source.fidelity is None else (4 * source.fidelity - 1) / 3
        for arm in self.arms:
            quantum = arm.link.quantum
            assert quantum is not None
            found *= (1 - quantum.depolarising) * (1 - quantum.dephasing / 2)
        return found


def common_passes(topology: Topology, links: list[LinkPasses]) -> list[CommonPasses]:
    """The arms of each source of pairs, two by two, that lead to nodes with detectors."""
    found = []
    for name, node in sorted(topology.nodes.items()):
        arms = [each for each in links if name in each.link.ends and _sends(topology, node, each)]
        found += [CommonPasses(topology, name, both) for both in combinations(arms, 2)]
    return found


def _sends(topology: Topology, node: NodeSpec, arm: LinkPasses) -> bool:
    if node.source is None or node.source.kind not in PAIR_KINDS:
        return False
    return topology.nodes[_other_end(arm, node.name)].detector is not None


def _other_end(arm: LinkPasses, name: str) -> str:
    first, second = arm.link.ends
    return second if name == first else first
