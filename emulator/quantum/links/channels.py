"""The channels of a topology's quantum links, and which link an operation means.

Owns one table per service (photons, heralded pairs, pulse trains) from a node and its peer to the links
between them, the making of fibres, free space and environments from what the topology says, and a channel
under faults. Does not own what happens on a link (photons.py, pairs/, pulses/), what heralds pairs
(heralding.py), nor what light meets (optics/fibre.py, optics/free_space.py).

Rules: a node names a link, or there is exactly one that fits; anything else is a LinkError. What a
topology says and physics forbids is a TopologyError at its place, before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from ...errors import InputError, LinkError, TopologyError
from ...faults.changes import Changes
from ...kernel.streams import Streams
from ...optics.dispersion import Pulse
from ...optics.environment import Environment, Temperature
from ...optics.fibre import REFERENCE_NM, Fibre, FibreLink, MediumState
from ...optics.free_space import FreeSpaceLink
from ...optics.phase import PhaseDrift, Vibration
from ...optics.polarisation import PolarisationDrift
from ...optics.raman import ClassicalChannels, RamanNoise
from ...states.noise import compose
from ...states.pauli import Superoperator
from ...states.user_noise import load_noise
from ...topology.model.fibre_sections import EnvironmentSpec, TemperatureSpec
from ...topology.model.topology import LinkSpec, Quantum, Topology
from ...units import format_ns
from ..fault_history import FaultHistory, Interval
from ..formalism import Formalism
from .free_space import free_space_of

#: Most cells of an environment's grid up to the run's `until`: a minute or two of work.
MAX_CELLS = 100_000_000
#: Channels of a link under different faults that are kept at hand: clouds come and go.
_CHANNELS_AT_HAND = 16

_Channel = TypeVar("_Channel")


class LinksByEnds(Generic[_Channel]):
    """Links of one service, by their ends. `service` completes "no link that ..."."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._between: dict[tuple[str, str], dict[str, _Channel]] = {}
        self.by_name: dict[str, _Channel] = {}

    def add(self, name: str, ends: tuple[str, str], channel: _Channel) -> None:
        """The link `name` offers the service in both directions."""
        first, second = ends
        self._between.setdefault((first, second), {})[name] = channel
        self._between.setdefault((second, first), {})[name] = channel
        self.by_name[name] = channel

    def choose(self, node: str, peer: str, link: str | None) -> _Channel:
        """The link from `node` to `peer` that is meant. Raises LinkError."""
        options = self._between.get((node, peer), {})
        if link is None and len(options) == 1:
            return next(iter(options.values()))
        if link is not None and link in options:
            return options[link]
        raise LinkError(node=node, peer=peer, why=self._why(options, link))

    def _why(self, options: dict[str, _Channel], link: str | None) -> str:
        names = ", ".join(options)
        if not options:
            return f"no link between them {self._service}"
        if link is None:
            return f"several links between them {self._service} ({names}): say link="
        return f"{link} is not a link between them that {self._service}; there is {names}"


# --- light across a link --------------------------------------------------------------------------


class PhotonTransit(NamedTuple):
    """One photon across a link: whether it arrives, when, and the noise on it (None: nothing).

    `survival` is the probability that it comes through and lies inside the receiver's gate.
    """

    survival: float
    delay_ns: int
    noise: Superoperator | None


class LightChannel:
    """A link's fibre or free space with the receiver's gate and the user's noise. Draws nothing.

    `first` is the link's first end. The gate, of full width `gate_ps`, follows the mean time of arrival:
    only a pulse's spread is lost by it. The user's `noise` acts last.
    """

    def __init__(
        self,
        medium: FibreLink | FreeSpaceLink,
        first: str,
        gate_ps: float | None = None,
        noise: Superoperator | None = None,
    ) -> None:
        self.medium, self.gate_ps = medium, gate_ps
        self._first, self._noise = first, noise
        #: The latest transit in each direction, and the state of the medium it follows from.
        self._latest: dict[bool, tuple[MediumState, PhotonTransit]] = {}

    def at(self, t_ns: int, source: str) -> PhotonTransit:
        """For light that `source`, one of the link's ends, sends at `t_ns`."""
        reverse = source != self._first
        state = self.medium.at(t_ns, reverse)
        latest = self._latest.get(reverse)
        if latest is None or latest[0] is not state:
            latest = self._latest[reverse] = (state, self._transit(state))
        if self.medium.moves:
            return latest[1]._replace(delay_ns=self.medium.delay_ns(t_ns, reverse))
        return latest[1]

    def fade(self, t_ns: int, source: str) -> float:
        """By what the survival of light that `source` sends at `t_ns` is multiplied; 1 on average."""
        medium = self.medium
        return (
            medium.fade(t_ns, source != self._first) if isinstance(medium, FreeSpaceLink) else 1.0
        )

    def train_delay_ns(self, start_ns: int, t_ns: int, source: str) -> int:
        """Time of flight of what leaves `source` at `t_ns` in a train that began at `start_ns`."""
        return self.medium.train_delay_ns(start_ns, t_ns, source != self._first)

    def changed(
        self,
        loss_db: float,
        misalignment_rad: float,
        lossless: bool = False,
        pointing_urad: float = 0.0,
    ) -> LightChannel:
        """The same channel with more loss and with its ends' frames turned further; with the same drifts.

        `lossless`: without any loss on the way; all else stays, the gate too.
        """
        medium = self.medium.changed(loss_db, misalignment_rad, lossless, pointing_urad)
        return LightChannel(medium, self._first, self.gate_ps, self._noise)

    def _transit(self, state: MediumState) -> PhotonTransit:
        survival = state.transmittance
        if self.gate_ps is not None:
            survival *= state.gate_fraction(self.gate_ps / 1e3)
        parts = [part for part in (state.noise, self._noise) if part is not None]
        noise = parts[0] if len(parts) == 1 else compose(*parts) if parts else None
        return PhotonTransit(survival, state.delay_ns, noise)

    def __repr__(self) -> str:
        return f"<LightChannel from {self._first}: {self.medium}, gate {self.gate_ps} ps>"


class FaultedChannel:
    """A link's channel, with what faults do to it."""

    def __init__(self, channel: LightChannel, history: FaultHistory[Changes]) -> None:
        self.channel, self._history = channel, history
        self._changed = lru_cache(_CHANNELS_AT_HAND)(channel.changed)

    def at(self, t_ns: int) -> tuple[LightChannel, Interval[Changes]]:
        """For light that leaves at `t_ns`: the channel it crosses, and the interval in which that holds."""
        interval = self._history.at(t_ns)
        if not interval.by:
            return self.channel, interval
        changes = interval.changes
        channel = self._changed(
            changes.loss_db, changes.misalignment_rad, changes.lossless, changes.pointing_urad
        )
        return channel, interval

    def __repr__(self) -> str:
        return f"<FaultedChannel {self.channel}, {self._history}>"


def light_channel_of(topology: Topology, link: LinkSpec, streams: Streams) -> LightChannel | None:
    """How photons cross the link; None without a quantum side.

    Its environment takes four words from the generator ("environment", link). Raises TopologyError for
    what cannot be: see the module's head.
    """
    quantum = link.quantum
    if quantum is None:
        return None
    path = ("links", link.name, "quantum")
    with placed(topology, *path, "pulse"):
        pulse = pulse_of(quantum)
    medium: FibreLink | FreeSpaceLink
    with placed(topology, *path, "environment"):
        environment = environment_of(topology, link, streams)
    if quantum.medium == "free_space":
        medium = free_space_of(topology, link, bare_fibre(quantum), pulse, streams)
    else:
        with placed(topology, *path, "coexistence"):
            medium = FibreLink(
                _fibre(quantum), pulse, environment, raman_of(quantum), quantum.encoding
            )
    with placed(topology, *path, "noise"):
        noise = None
        if quantum.noise is not None:
            noise = load_noise(quantum.noise, duration_ns=link.delay_ns)
    if quantum.gate_ps is not None and pulse is None:
        problem = "a gate acts on the spread of a pulse: expected 'pulse:' beside it"
        raise topology.error(problem, *path, "gate")
    channel = LightChannel(medium, link.ends[0], quantum.gate_ps, noise)
    with placed(topology, *path):
        _check_formalism(topology, link, channel)
    return channel


def fibre_of(link: LinkSpec) -> Fibre | None:
    """The link's fibre as bought and laid; None without a quantum side."""
    return None if link.quantum is None else _fibre(link.quantum)


def _fibre(quantum: Quantum) -> Fibre:
    return Fibre(
        length_km=quantum.length_km,
        attenuation_db_per_km=quantum.attenuation_db_per_km,
        insertion_loss_db=quantum.insertion_loss_db,
        group_index=quantum.group_index,
        depolarising=quantum.depolarising,
        dephasing=quantum.dephasing,
        dispersion_ps_per_nm_km=quantum.dispersion_ps_per_nm_km,
        dispersion_slope_ps_per_nm2_km=quantum.dispersion_slope_ps_per_nm2_km,
        pmd_ps_per_sqrt_km=quantum.pmd_ps_per_sqrt_km,
        misalignment_rad=quantum.misalignment_rad,
        thermal_delay_ps_per_km_k=quantum.thermal_delay_ps_per_km_k,
    )


def bare_fibre(quantum: Quantum) -> Fibre:
    """What damages a photon in free space too, without a way."""
    return Fibre(
        length_km=0.0,
        insertion_loss_db=quantum.insertion_loss_db,
        group_index=1.0,
        depolarising=quantum.depolarising,
        dephasing=quantum.dephasing,
        misalignment_rad=quantum.misalignment_rad,
    )


def pulse_of(quantum: Quantum) -> Pulse | None:
    """The light of a link, if the topology says what it is. Raises InputError."""
    spec = quantum.pulse
    if spec is None:
        return None
    return Pulse(spec.wavelength_nm, spec.duration_ps, spec.linewidth_nm)


def raman_of(quantum: Quantum) -> RamanNoise | None:
    """The classical channels beside the link's light; without a pulse that is at 1550 nm."""
    if quantum.coexistence is None:
        return None
    channels = [
        ClassicalChannels(
            launch_power_dbm=channel.launch_power_dbm,
            direction=channel.direction,
            count=channel.count,
            wavelength_nm=channel.wavelength_nm,
            attenuation_db_per_km=channel.attenuation_db_per_km,
            rho_per_km_nm=channel.rho_per_km_nm,
        )
        for channel in quantum.coexistence.channels
    ]
    wavelength_nm = quantum.pulse.wavelength_nm if quantum.pulse else REFERENCE_NM
    return RamanNoise(tuple(channels), quantum.coexistence.filter_width_nm, wavelength_nm)


def environment_of(topology: Topology, link: LinkSpec, streams: Streams) -> Environment | None:
    """The link's surroundings. Raises TopologyError for a grid that the run would never get through."""
    spec = link.quantum.environment if link.quantum is not None else None
    if spec is None:
        return None
    _check_grid(topology, link.name, spec)
    polarisation, phase = spec.polarisation_drift_rad2_per_s, spec.phase_drift_rad2_per_s
    return Environment(
        streams.of("environment", link.name),
        spec.grid_ns,
        polarisation=PolarisationDrift(polarisation) if polarisation else None,
        phase=PhaseDrift(phase) if phase else None,
        vibrations=[Vibration(each.amplitude_rad, each.frequency_hz) for each in spec.vibrations],
        temperature=_temperature(spec.temperature) if spec.temperature else None,
    )


def _temperature(spec: TemperatureSpec) -> Temperature:
    return Temperature(
        swing_k=spec.swing_k,
        period_s=spec.period_ns * 1e-9,
        fluctuation_k=spec.fluctuation_k,
        correlation_s=spec.correlation_ns * 1e-9,
    )


def _check_grid(topology: Topology, link: str, spec: EnvironmentSpec) -> None:
    """A path costs its steps one by one; a swing and a vibration cost nothing."""
    until_ns = topology.time.until_ns
    fluctuates = spec.temperature is not None and spec.temperature.fluctuation_k
    wanders = spec.polarisation_drift_rad2_per_s or spec.phase_drift_rad2_per_s or fluctuates
    if until_ns is None or not wanders or until_ns // spec.grid_ns <= MAX_CELLS:
        return
    least = format_ns(-(-until_ns // MAX_CELLS))
    raise topology.error(
        f"a grid of {format_ns(spec.grid_ns)} up to until {format_ns(until_ns)} has "
        f"{until_ns // spec.grid_ns} cells, expected at most {MAX_CELLS}: a grid of {least} or more",
        *("links", link, "quantum", "environment", "grid"),
    )


def _check_formalism(topology: Topology, link: LinkSpec, channel: LightChannel) -> None:
    """Raises InputError if the formalism cannot carry what the link does to a photon.

    An environment does nothing in its first cell; its second is as good as any.
    """
    environment = channel.medium.environment
    transit = channel.at(environment.grid_ns if environment else 0, link.ends[0])
    if transit.noise is not None:
        chosen = Formalism(topology.formalism, topology.approximate)
        chosen.check_noise(transit.noise, f"light on {link.name}")


@contextmanager
def placed(topology: Topology, *path: str) -> Iterator[None]:
    """Errors of the user's input inside are about the value at `path`."""
    try:
        yield
    except TopologyError:
        raise
    except InputError as error:
        raise topology.error(f"{'.'.join(path[:3])}: {error}", *path) from error
