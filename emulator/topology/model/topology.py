"""The topology as the rest of qnetem knows it: complete, resolved, frozen.

Owns the classes and what must hold inside one section. Does not own how a file is read and layered
(reading/, loading/), nor which faults its entries come to (topology/faults/). Names carry their unit last;
every time is an integer number of nanoseconds, every length is in km.

Rule: a `Topology` that exists is valid, needs no file any more, and never changes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from ...closed_forms import GROUP_INDEX, fibre_latency_ns
from ...errors import TopologyError
from ...optics import standard_fibre
from ...units import format_ns
from ..written.names import NAME_LENGTH, NAME_PATTERN, name_problem, shown
from ..written.positions import Position, Written
from ..written.problems import error_text
from ..written.vocabulary import (
    NoneWord,
    Section,
    is_partial,
    missing,
    problem,
    written_keys,
)
from .entangle import EntangleSpec
from .epoch import EpochNs
from .faults import FaultEntry, FaultSpec, RandomFaults
from .fibre_sections import CoexistenceSpec, EnvironmentSpec, PulseSpec
from .kinds import Kind
from .pulse_sections import DetectorSpec, SourceSpec
from .quantities import (
    AngleRad,
    AttenuationDbPerKm,
    BandwidthBpsOrNone,
    DispersionPsPerNmKm,
    DispersionSlopePsPerNm2Km,
    DurationNs,
    LengthKm,
    LossDb,
    PmdPsPerSqrtKm,
    PositiveNsOrNone,
    Probability,
    RefractiveIndex,
    ShortTimePsOrNone,
    Speed,
    ThermalDelayPsPerKmK,
)
from .space_sections import (
    OF_FIBRES,
    OF_FREE_SPACE,
    AtmosphereSpec,
    BackgroundSpec,
    BeamSpec,
    FadingSpec,
    OrbitSpec,
    PointingSpec,
    PositionSpec,
    TelescopeSpec,
    WeatherSpec,
)

MAX_SEED = 2**63 - 1
NONE = "none"

PROGRAM_PATTERN = r"^(?:[A-Za-z_][A-Za-z0-9_.]*|.+\.py):[A-Za-z_][A-Za-z0-9_]*$"
_PROGRAM = re.compile(PROGRAM_PATTERN.removeprefix("^").removesuffix("$"))


def _check_name(value: Any) -> Any:
    wrong = name_problem(value) if isinstance(value, str) else None
    if wrong is not None:
        raise problem(wrong)
    return value


def _check_program(value: Any) -> Any:
    if isinstance(value, str) and _PROGRAM.fullmatch(value) is None:
        raise problem(f"expected 'module:Class' or './file.py:Class', found {shown(value)}")
    return value


def _check_noise(value: Any) -> Any:
    if isinstance(value, str) and value != NONE and _PROGRAM.fullmatch(value) is None:
        raise problem(f"expected 'module:function' or './file.py:function', found {shown(value)}")
    return None if value == NONE else value


def _check_between(value: Any) -> Any:
    pair = isinstance(value, (list, tuple)) and len(value) == 2
    if pair and all(isinstance(end, str) for end in value):
        return tuple(value)
    strange = [end for end in value if not isinstance(end, str)] if pair else [value]
    raise problem(f"expected two node names such as [alice, bob], found {shown(strange[0])}")


Name = Annotated[
    str,
    BeforeValidator(_check_name),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN, "maxLength": NAME_LENGTH}),
]
ProgramName = Annotated[
    str,
    BeforeValidator(_check_program),
    WithJsonSchema({"type": "string", "pattern": PROGRAM_PATTERN}),
]
NoiseName = Annotated[
    str | None,
    BeforeValidator(_check_noise),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": PROGRAM_PATTERN},
                {"const": NONE},
                {"type": "null"},
            ]
        }
    ),
]
Ends = Annotated[
    tuple[str, str],
    BeforeValidator(_check_between),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}),
]
FibrePresetName = Literal[
    "standard",
    "deployed",
    "ultra_low_loss",
    "ultra_low_loss_0_16",
    "ultra_low_loss_0_157",
    "ultra_low_loss_0_1419",
]
FormalismName = Literal["auto", "density_matrix", "bell_diagonal", "stabilizer"]


class Time(Section):
    """Virtual time: as fast as it can, or paced at `speed` virtual seconds a real one.

    `epoch_ns`: the calendar's time at which virtual time is 0, since 1970 in UTC.
    """

    mode: Literal["virtual", "real"] = "virtual"
    until_ns: PositiveNsOrNone = Field(default=None, validation_alias="until")
    speed: Speed = 1.0
    epoch_ns: EpochNs = Field(default=0, validation_alias="epoch")


class Memory(Section):
    """Slots for qubits, and how those decay: T1 and T2, None for never.

    `noise` is what decays them besides, a function of the user's as for a link, which returns collapse
    operators and rates. `initialisation_ns` is what a fresh or reset qubit takes, and
    `initialisation_error` its depolarising probability p, rho -> (1-p) rho + p I/2. A qubit whose age
    reaches `cutoff_ns` is discarded; None: never. `communication` of the slots are qubits that links can
    entangle, the others storage; None: they are not told apart. Each attempt of the node on a link dephases
    its stored qubits with `dephasing_per_attempt` p: rho -> (1-p) rho + p Z rho Z.
    """

    slots: int = Field(default=16, ge=1)
    t1_ns: PositiveNsOrNone = Field(default=None, validation_alias="t1")
    t2_ns: PositiveNsOrNone = Field(default=None, validation_alias="t2")
    noise: NoiseName = None
    initialisation_ns: DurationNs = Field(default=0, validation_alias="initialisation")
    initialisation_error: Probability = 0.0
    cutoff_ns: PositiveNsOrNone = Field(default=None, validation_alias="cutoff")
    communication: int | None = Field(default=None, ge=1)
    dephasing_per_attempt: Probability = 0.0

    @model_validator(mode="after")
    def _knows_its_storage(self) -> Memory:
        if self.communication is not None and self.communication > self.slots:
            raise problem(
                f"the memory has {self.slots} slots: expected no more communication qubits, found "
                f"{self.communication}",
                "communication",
            )
        if self.dephasing_per_attempt and self.communication is None:
            raise problem(
                "acts on storage qubits only: expected 'communication' beside it, the number of slots "
                "that are none",
                "dephasing_per_attempt",
            )
        return self

    @model_validator(mode="after")
    def _coherence_outlives_nothing(self) -> Memory:
        if self.t1_ns is not None and self.t2_ns is not None and self.t2_ns > 2 * self.t1_ns:
            raise problem(
                f"T2 cannot exceed 2 T1, as relaxation itself destroys coherence: expected at most "
                f"{format_ns(2 * self.t1_ns)}, found {format_ns(self.t2_ns)}",
                "t2",
            )
        return self


class Gates(Section):
    """How long gates take, and their error: depolarising probability p, rho -> (1-p) rho + p I/d."""

    single_ns: DurationNs = Field(default=0, validation_alias="single")
    two_ns: DurationNs = Field(default=0, validation_alias="two")
    single_error: Probability = 0.0
    two_error: Probability = 0.0


class Measurement(Section):
    """How long a measurement takes, and the probability that its outcome is flipped."""

    duration_ns: DurationNs = Field(default=0, validation_alias="duration")
    error: Probability = 0.0


class BellMeasurement(Section):
    """How often a Bell measurement succeeds. One that fails says nothing, and consumes both qubits.

    Its duration and errors are those of a two-qubit gate and a measurement.
    """

    success: Probability = 1.0


class Devices(Section):
    """The hardware of a node, as a layer of the file may give it."""

    memory: Memory = Memory()
    gates: Gates = Gates()
    measurement: Measurement = Measurement()
    bell_measurement: BellMeasurement = BellMeasurement()
    source: Annotated[SourceSpec | None, NoneWord] = None
    detector: Annotated[DetectorSpec | None, NoneWord] = None


class ServiceSpec(Section):
    """A service of a node. `program` as of a node; `slots` of the node's memory are its own, None: none are.

    `needs`: the services of the node that are started before it.
    """

    program: ProgramName
    options: dict[str, Any] = Field(default_factory=dict, validation_alias="with")
    slots: int | None = Field(default=None, ge=0)
    needs: list[Name] = Field(default_factory=list)


class NodeSpec(Section):
    """A node. `program` is "module:Class", or "file.py:Class" with an absolute path once loaded.

    `services` run beside the program, by name.
    """

    name: Name
    kind: Kind = "endpoint"
    program: ProgramName
    options: dict[str, Any] = Field(default_factory=dict, validation_alias="with")
    service: bool = False
    services: dict[Name, ServiceSpec] = Field(default_factory=dict)
    memory: Memory = Memory()
    gates: Gates = Gates()
    measurement: Measurement = Measurement()
    bell_measurement: BellMeasurement = BellMeasurement()
    source: Annotated[SourceSpec | None, NoneWord] = None
    detector: Annotated[DetectorSpec | None, NoneWord] = None
    position: PositionSpec | None = None
    orbit: OrbitSpec | None = None
    weather: Annotated[WeatherSpec | None, NoneWord] = None

    @model_validator(mode="after")
    def _is_in_one_place(self) -> NodeSpec:
        if self.position is not None and self.orbit is not None:
            raise problem("'position' and 'orbit': expected one of the two", "orbit")
        if self.weather is not None and self.orbit is not None:
            raise problem("there is no weather in orbit: expected none", "weather")
        return self

    @model_validator(mode="after")
    def _services_fit_together(self) -> NodeSpec:
        taken = 0
        for name, service in self.services.items():
            taken += service.slots or 0
            if taken > self.memory.slots:
                own = f"{service.slots} for {shown(name)}"
                raise problem(
                    f"the memory has {self.memory.slots} slots: expected no more for all services "
                    f"together, found {own} and {taken - (service.slots or 0)} before it",
                    "services",
                )
            for other in service.needs:
                if other not in self.services:
                    known = ", ".join(sorted(self.services))
                    raise problem(
                        f"{shown(name)} needs {shown(other)}, which is no service of this node: "
                        f"expected one of {known}",
                        "services",
                    )
        self.services_in_order()
        return self

    def services_in_order(self) -> list[str]:
        """The services in the order of their start: what one needs before it, then by name."""
        order: dict[str, None] = {}
        waiting = dict(sorted(self.services.items()))
        while waiting:
            ready = [
                name
                for name, service in waiting.items()
                if all(other in order for other in service.needs)
            ]
            if not ready:
                ring = ", ".join(waiting)
                raise problem(f"these services need each other in a ring: {ring}", "services")
            order[ready[0]] = None
            del waiting[ready[0]]
        return list(order)

    @property
    def own_slots(self) -> int:
        """The slots that no service has for itself: the program's."""
        return self.memory.slots - sum(each.slots or 0 for each in self.services.values())


class Quantum(Section):
    """The quantum plane of a link: its fibre or free space, the light in it, and what heralds pairs.

    `depolarising` p: rho -> (1-p) rho + p I/2. `dephasing` p: rho -> (1-p) rho + p Z rho Z. Both are
    for one passage of the whole link, as is `noise`, a function of the user's ("module:function", or
    "file.py:function" with an absolute path once loaded). Without a `pulse` there is neither dispersion
    nor polarisation-mode dispersion, and no gate. `preset` is what was named in the file: its values
    are in the fields already.
    """

    medium: Literal["fibre", "free_space"] = "fibre"
    preset: FibrePresetName | None = None
    length_km: LengthKm = Field(default=0.0, validation_alias="length")
    attenuation_db_per_km: AttenuationDbPerKm = Field(
        default=standard_fibre.ATTENUATION_DB_PER_KM, validation_alias="attenuation"
    )
    insertion_loss_db: LossDb = Field(default=0.0, validation_alias="insertion_loss")
    group_index: RefractiveIndex = GROUP_INDEX
    depolarising: Probability = 0.0
    dephasing: Probability = 0.0
    dispersion_ps_per_nm_km: DispersionPsPerNmKm = Field(
        default=standard_fibre.DISPERSION_PS_PER_NM_KM, validation_alias="dispersion"
    )
    dispersion_slope_ps_per_nm2_km: DispersionSlopePsPerNm2Km = Field(
        default=standard_fibre.DISPERSION_SLOPE_PS_PER_NM2_KM, validation_alias="dispersion_slope"
    )
    pmd_ps_per_sqrt_km: PmdPsPerSqrtKm = Field(
        default=standard_fibre.PMD_PS_PER_SQRT_KM, validation_alias="pmd"
    )
    misalignment_rad: AngleRad = Field(default=0.0, validation_alias="misalignment")
    thermal_delay_ps_per_km_k: ThermalDelayPsPerKmK = Field(
        default=standard_fibre.THERMAL_DELAY_PS_PER_KM_K, validation_alias="thermal_delay"
    )
    encoding: Literal["polarisation", "phase"] = "polarisation"
    pulse: Annotated[PulseSpec | None, NoneWord] = None
    gate_ps: ShortTimePsOrNone = Field(default=None, validation_alias="gate")
    environment: Annotated[EnvironmentSpec | None, NoneWord] = None
    coexistence: Annotated[CoexistenceSpec | None, NoneWord] = None
    noise: NoiseName = None
    entangle: Annotated[EntangleSpec | None, NoneWord] = None
    beam: BeamSpec | None = None
    telescope: TelescopeSpec | None = None
    pointing: PointingSpec = PointingSpec()
    atmosphere: Annotated[AtmosphereSpec | None, NoneWord] = None
    background: Annotated[BackgroundSpec | None, NoneWord] = None
    fading: Annotated[FadingSpec | None, NoneWord] = None

    @model_validator(mode="after")
    def _has_the_keys_of_its_medium(self, info: ValidationInfo[Any]) -> Quantum:
        if is_partial(info):
            return self
        foreign = OF_FREE_SPACE if self.medium == "fibre" else OF_FIBRES
        other = "free_space" if self.medium == "fibre" else "fibre"
        for key, name in zip(written_keys(Quantum), Quantum.model_fields, strict=True):
            if key in foreign and getattr(self, name) != Quantum.model_fields[name].get_default():
                raise problem(f"{key!r} is no key of medium: {self.medium}, but of {other}", key)
        if self.medium == "free_space":
            self._is_whole()
        return self

    def _is_whole(self) -> None:
        """Free space has no default for what sends and takes light."""
        for key in ("beam", "telescope"):
            if getattr(self, key) is None:
                raise missing(key)
        if self.environment is not None:
            raise problem("an environment is a fibre's: expected none", "environment")
        turbulent = self.atmosphere is not None and self.atmosphere.turbulence is not None
        if self.fading is not None and not turbulent and not self.pointing.jitter_urad:
            raise problem(
                "nothing fades here: expected 'turbulence' in 'atmosphere', or 'jitter' in 'pointing'",
                "fading",
            )

    @property
    def light_index(self) -> float:
        """By how much light is slower than in vacuum."""
        return self.group_index if self.medium == "fibre" else 1.0


class Classical(Section):
    """The classical plane of a link. `bandwidth_bps` None: messages take no time to serialise.

    `moving`: a message takes as long as light over what the link's length is when it leaves, and `latency_ns`
    is the longest that is.
    """

    latency_ns: DurationNs = Field(validation_alias="latency")
    bandwidth_bps: BandwidthBpsOrNone = Field(default=None, validation_alias="bandwidth")
    moving: bool = False


class LinkSpec(Section):
    """A link between two nodes; a plane that is None does not exist."""

    name: str
    ends: Ends = Field(validation_alias="between")
    length_km: LengthKm = Field(default=0.0, validation_alias="length")
    quantum: Annotated[Quantum | None, NoneWord] = None
    classical: Annotated[Classical | None, NoneWord] = None

    @model_validator(mode="after")
    def _joins_two_nodes_somehow(self) -> LinkSpec:
        if self.ends[0] == self.ends[1]:
            raise problem(f"a link cannot join {shown(self.ends[0])} to itself", "between")
        if self.quantum is None and self.classical is None:
            raise problem(
                "a link needs a plane: expected quantum, classical or both, found neither"
            )
        return self

    @property
    def delay_ns(self) -> int:
        """A photon's time of flight over this link; 0 without a quantum plane.

        Of a link that moves, the longest.
        """
        if self.quantum is None:
            return 0
        return fibre_latency_ns(self.quantum.length_km, self.quantum.light_index)

    def other_end(self, node: str) -> str:
        """The node at the other end. Raises KeyError if `node` is at neither."""
        first, second = self.ends
        if node not in self.ends:
            raise KeyError(node)
        return second if node == first else first


class Topology(Section):
    """A whole network. Nodes and links are in the order of the file.

    `folder` is the absolute one that paths in a node's options are relative to. `faults` are the single
    faults that `fault_entries` and `campaign` come to with this seed, as topology/faults/plan.py plans them.
    """

    name: Name
    folder: str = ""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    time: Time = Time()
    formalism: FormalismName = "auto"
    approximate: Literal["none", "twirl"] = "none"
    record: Literal["full", "hashes"] = "full"
    on_error: Literal["stop", "continue"] = "stop"
    nodes: dict[Name, NodeSpec]
    links: dict[str, LinkSpec] = Field(default_factory=dict)
    faults: list[FaultSpec] = Field(default_factory=list)
    fault_entries: list[FaultEntry] = Field(default_factory=list)
    campaign: RandomFaults | None = None
    expect: dict[str, str] = Field(default_factory=dict)

    _source: FilePath | None = PrivateAttr(None)
    _written: Written = PrivateAttr(default_factory=lambda: Written({}))
    _overrides: tuple[str, ...] = PrivateAttr(())

    @property
    def source(self) -> FilePath | None:
        """The file this was loaded from, or None."""
        return self._source

    @property
    def written(self) -> Written:
        """The file as written, complete: where its values stand."""
        return self._written

    @property
    def overrides(self) -> tuple[str, ...]:
        """What was laid over the file, each as `KEY=VALUE`, in order."""
        return self._overrides

    def remember(
        self, source: FilePath | None, written: Written, overrides: Sequence[str] = ()
    ) -> Topology:
        """This topology, knowing where its values stand (for the loader)."""
        self._source, self._written, self._overrides = source, written, tuple(overrides)
        return self

    def place(self, *path: str | int, at_key: bool = False) -> Position:
        """Where the value at `path` stands, e.g. `place("nodes", "alice", "memory", "t2")`.

        Keys are the words of the file, links go by name. If the file does not say it, the nearest
        thing around it that it does say. `at_key`: where the key stands.
        """
        found = self._written.nearest(path)
        mark = found.key_mark if at_key and found.key_mark is not None else found.best_mark
        return mark.of(str(self._source or ""))

    def error(self, problem: str, *path: str | int, at_key: bool = False) -> TopologyError:
        """An error to raise about the value at `path` (as for `place`)."""
        place = self.place(*path, at_key=at_key)
        return TopologyError(problem, place.file, place.line, place.column)

    def to_data(self) -> dict[str, Any]:
        """Plain data from which `from_data` makes the same topology, without the file."""
        return self.model_dump(mode="json")

    @classmethod
    def from_data(cls, data: Any) -> Topology:
        """The topology that `to_data` had described. Raises TopologyError if that is not what it is."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise TopologyError(f"not the data of a topology: {error_text(error)}") from error
