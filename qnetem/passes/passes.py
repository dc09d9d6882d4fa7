"""Passes of a topology's satellites: when, how high, how far, with which loss and which key to expect.

Owns the passes as rows and the loss over time. Does not own contacts (emulator/space/), what light suffers
(emulator/optics/) nor how rows are shown (cli/passes_command.py, picture.py).

Rule: losses are those that the emulator would use, and the key follows from them by a closed form: BB84 with
infinitely many decoys and no finite-size effects, so that no run of that pass has more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..emulator.closed_forms import free_space, orbits, qkd
from ..emulator.errors import InputError, OperationError
from ..emulator.kernel.streams import Streams
from ..emulator.loading import Topology
from ..emulator.optics.free_space import GRID_NS, FreeSpaceLink
from ..emulator.places import geometry_of
from ..emulator.quantum.links.channels import light_channel_of
from ..emulator.quantum.pulses.reception import receiver
from ..emulator.quantum.pulses.sending import PAIR_KINDS
from ..emulator.space.contacts import DAY_NS, Geometry, Pass
from ..emulator.space.earth import Station
from ..emulator.space.sun import in_shadow, is_night
from ..emulator.topology.model.pulse_sections import DetectorSpec, SourceSpec
from ..emulator.topology.model.topology import LinkSpec

#: What is looked at where neither the topology nor the command says how long.
DAY_S = DAY_NS * 1e-9
#: Sources whose light goes one way.
SENDING = ("weak_coherent", *PAIR_KINDS)


@dataclass(frozen=True, slots=True)
class PassRow:
    """One pass. Times in ns of virtual time; `loss_db` is the least one, from the sender's end.

    `doppler_ghz` is the largest shift either way, `night` of all stations when the satellite stands highest,
    `sunlit` whether it is out of the Earth's shadow then. `key_bits` None: not from a laser to detectors.
    """

    link: str
    start_ns: int
    end_ns: int
    highest_ns: int
    highest_deg: float | None
    range_km: float
    loss_db: float
    doppler_ghz: float
    night: bool | None
    sunlit: bool | None
    key_bits: float | None

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.start_ns) * 1e-9


@dataclass(frozen=True, slots=True)
class Moment:
    """The link at one moment of a pass."""

    t_ns: int
    loss_db: float


class LinkPasses:
    """The passes of one link of which an end is in orbit. Clouds are left out: they are not known ahead."""

    def __init__(self, topology: Topology, link: LinkSpec, geometry: Geometry) -> None:
        self.link, self.geometry, self._topology = link, geometry, topology
        clear = topology.model_copy(
            update={
                "nodes": {
                    name: node.model_copy(update={"weather": None})
                    for name, node in topology.nodes.items()
                }
            }
        )
        channel = light_channel_of(clear, link, Streams(topology.seed))
        assert channel is not None and isinstance(channel.medium, FreeSpaceLink)
        self._space = channel.medium
        self._ends = _sender_and_receiver(topology, link)
        self._moments: dict[tuple[int, int], list[Moment]] = {}
        self._losses: dict[int, float] = {}

    @property
    def reverse(self) -> bool:
        """Whether light is sent from the link's second end."""
        return self._ends is not None and self._ends[0] != self.link.ends[0]

    def rows(self, until_ns: int) -> list[PassRow]:
        """All passes up to a moment."""
        return [self._row(each) for each in self.geometry.passes(0, until_ns)]

    def moments(self, start_ns: int, end_ns: int) -> list[Moment]:
        """The loss over a pass, cell by cell, at the middle of each."""
        found = self._moments.get((start_ns, end_ns))
        if found is None:
            found = self._moments[start_ns, end_ns] = [*self._cells(start_ns, end_ns)]
        return found

    def _cells(self, start_ns: int, end_ns: int) -> Iterator[Moment]:
        t_ns = start_ns
        while t_ns < end_ns:
            after_ns = min(end_ns, (t_ns // GRID_NS + 1) * GRID_NS)
            middle_ns = (t_ns + after_ns) // 2
            yield Moment(middle_ns, self._loss_db(middle_ns))
            t_ns = after_ns

    def _loss_db(self, t_ns: int) -> float:
        found = self._losses.get(t_ns)  # a common pass has cells of its passes
        if found is None:
            eta = self._space.transmittance(t_ns, self.reverse)
            found = self._losses[t_ns] = free_space.loss_db(eta)
        return found

    def _row(self, found: Pass) -> PassRow:
        geometry = self.geometry
        losses = [each.loss_db for each in self.moments(found.since_ns, found.until_ns)]
        rates = [
            geometry.range_rate_km_per_s(t)
            for t in (found.since_ns, found.highest_ns, found.until_ns)
        ]
        wavelength_nm = self._space.optics.wavelength_nm
        shifts = [abs(orbits.doppler_shift_ghz(rate, wavelength_nm)) for rate in rates]
        night, sunlit = self.night(found.highest_ns), self._sunlit(found.highest_ns)
        return PassRow(
            link=self.link.name,
            start_ns=found.since_ns,
            end_ns=found.until_ns,
            highest_ns=found.highest_ns,
            highest_deg=found.highest_deg,
            range_km=found.range_km,
            loss_db=min(losses),
            doppler_ghz=max(shifts),
            night=night,
            sunlit=sunlit,
            key_bits=self._key_bits(found.since_ns, found.until_ns),
        )

    def night(self, t_ns: int) -> bool | None:
        """Whether the sun is well below the horizon of all stations; None without one."""
        unix_s = self.geometry.unix_s(t_ns)
        stations = [each for each in self.geometry.places if isinstance(each, Station)]
        return all(is_night(each, unix_s) for each in stations) if stations else None

    def _sunlit(self, t_ns: int) -> bool:
        unix_s = self.geometry.unix_s(t_ns)
        orbiting = [each for each in self.geometry.places if not isinstance(each, Station)]
        return not any(in_shadow(each.position_km(unix_s), unix_s) for each in orbiting)

    def dark_counts(self, detector: DetectorSpec, source: SourceSpec, t_ns: int) -> float:
        """Counts a slot of all detectors of an end without a signal, those of the sky of a time too."""
        quantum = self.link.quantum
        assert quantum is not None
        try:
            noise_hz = self._space.noise_rate_hz(t_ns)
            seen = receiver(detector, source.period_ps, noise_hz, quantum.gate_ps)
        except OperationError as error:
            raise InputError(f"links.{self.link.name}: {error}") from error
        return float(seen.background(source.period_ps).sum())

    def _key_bits(self, start_ns: int, end_ns: int) -> float | None:
        """Of the brightest setting's pulses, second by second."""
        if self._ends is None:
            return None
        sender, taker = (self._topology.nodes[end] for end in self._ends)
        source, detector, quantum = sender.source, taker.detector, self.link.quantum
        assert source is not None and detector is not None and quantum is not None
        if source.kind in PAIR_KINDS:
            return None
        means = source.intensities or []
        shares = source.probabilities or [1 / len(means)] * len(means)
        mu, share = max(zip(means, shares, strict=True))
        y0 = self.dark_counts(detector, source, (start_ns + end_ns) // 2)
        behind = detector.efficiency * detector.transmittance
        flips = (quantum.depolarising + quantum.dephasing) / 2
        pulses_per_s = share * 1e12 / source.period_ps
        bits, t_ns = 0.0, start_ns
        for each in self.moments(start_ns, end_ns):
            lasts_s = min(end_ns, (t_ns // GRID_NS + 1) * GRID_NS) - t_ns
            t_ns += lasts_s
            bits += pulses_per_s * lasts_s * 1e-9 * _rate(mu, each.loss_db, behind, y0, flips)
        return bits


def _rate(mu: float, loss_db: float, behind: float, y0: float, flips: float) -> float:
    eta = behind * 10 ** (-loss_db / 10)
    singles = qkd.SinglePhotons(y0 + eta, qkd.photon_error(1, eta, y0, flips))
    return max(
        0.0, qkd.decoy_rate(mu, qkd.gain(mu, eta, y0), qkd.qber(mu, eta, y0, flips), singles)
    )


def _sender_and_receiver(topology: Topology, link: LinkSpec) -> tuple[str, str] | None:
    """The end with a laser or pairs and one with detectors, a satellite's light first; None without both."""
    ends = sorted(link.ends, key=lambda end: topology.nodes[end].orbit is None)
    for sender, taker in (ends, ends[::-1]):
        source, detector = topology.nodes[sender].source, topology.nodes[taker].detector
        if source is not None and source.kind in SENDING and detector is not None:
            return sender, taker
    return None


def moving_links(topology: Topology) -> list[LinkPasses]:
    """The links of which an end is in orbit, by name. Raises InputError without one."""
    found = []
    for _, link in sorted(topology.links.items()):
        if link.quantum is None or link.quantum.medium != "free_space":
            continue
        geometry = geometry_of(topology, link)
        if geometry is not None and geometry.moves:
            found.append(LinkPasses(topology, link, geometry))
    if not found:
        raise InputError(
            "no link of this topology has an end in orbit: expected medium: free_space, and orbit: at a node"
        )
    return found
