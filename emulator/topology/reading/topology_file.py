"""The topology file as a user writes it: its keys, section by section.

Owns the shape that is checked before anything is layered, and from which the JSON Schema is made. What
the keys mean once resolved is in model/; how layers are merged is in layers.py.

Rule: a key that is not here does not exist; there is no section whose content is not checked.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from ..faults.campaign import campaign_schema
from ..faults.entries import fault_schema
from ..model.kinds import Kind
from ..model.quantities import BandwidthBpsOrNone, LatencyNsOrAuto, LengthKm
from ..model.space_sections import OrbitSpec, PositionSpec, WeatherSpec
from ..model.topology import (
    MAX_SEED,
    Devices,
    Ends,
    FormalismName,
    Name,
    ProgramName,
    Quantum,
    Time,
)
from ..written.names import shown
from ..written.vocabulary import NoneWord, Section, problem


def _names(value: Any) -> Any:
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return names
    raise problem(f"expected the name of a preset, or a list of names, found {shown(value)}")


def _comparison(value: Any) -> Any:
    if isinstance(value, str) and value.strip():
        return value
    raise problem(f"expected a comparison in quotes such as '< 0.11', found {shown(value)}")


def _nothing_is_empty(value: Any) -> Any:
    return {} if value is None else value


def _nothing_is_no_entry(value: Any) -> Any:
    return [] if value is None else value


Presets = Annotated[
    list[str],
    BeforeValidator(_names),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]
Options = Annotated[dict[str, Any], BeforeValidator(_nothing_is_empty)]
Comparison = Annotated[
    str, BeforeValidator(_comparison), WithJsonSchema({"type": "string", "minLength": 1})
]
_SCHEDULE = {"type": "array", "items": fault_schema()}


def _faults(value: Any) -> Any:
    if value is None:
        return []
    if isinstance(value, (list, dict)):
        return value
    raise problem(f"expected a list of faults, or random: and schedule:, found {shown(value)}")


Faults = Annotated[
    list[Any] | dict[str, Any],
    BeforeValidator(_faults),
    WithJsonSchema(
        {
            "anyOf": [
                _SCHEDULE,
                {"type": "null"},
                {
                    "type": "object",
                    "properties": {"schedule": _SCHEDULE, "random": campaign_schema()},
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
_EMPTY = BeforeValidator(_nothing_is_empty)
_NO_ENTRY = BeforeValidator(_nothing_is_no_entry)


class ClassicalEntry(Section):
    """`classical:`; a latency of `auto` follows from the link's length."""

    latency_ns: LatencyNsOrAuto = Field(default=None, validation_alias="latency")
    bandwidth_bps: BandwidthBpsOrNone = Field(default=None, validation_alias="bandwidth")


class ServiceEntry(Section):
    """`services.<name>:`; a service that runs beside the program."""

    program: ProgramName | None = None
    options: Options = Field(default_factory=dict, validation_alias="with")
    slots: Annotated[int, Field(ge=0)] | None = None
    needs: Annotated[list[Name], _NO_ENTRY] = Field(default_factory=list)


#: A name with nothing behind it takes away a service of a layer below.
Services = Annotated[dict[Name, ServiceEntry | None], _EMPTY]


class DefaultsEntry(Devices):
    """`defaults:`; what nodes and the planes of links have unless they say otherwise."""

    services: Services = Field(default_factory=dict)
    hardware: Presets = Field(default_factory=list)
    quantum: Quantum = Quantum()
    classical: ClassicalEntry = ClassicalEntry()


class KindEntry(Devices):
    """`kinds.<kind>:`; what all nodes of a kind have unless they say otherwise."""

    program: ProgramName | None = None
    options: Options = Field(default_factory=dict, validation_alias="with")
    service: bool | None = None
    services: Services = Field(default_factory=dict)
    hardware: Presets = Field(default_factory=list)


class NodeEntry(KindEntry):
    """`nodes.<name>:`"""

    kind: Kind = "endpoint"
    position: PositionSpec | None = None
    orbit: OrbitSpec | None = None
    weather: Annotated[WeatherSpec | None, NoneWord] = None


class LinkEntry(Section):
    """One of `links:`. A quantum plane exists if it is written, a classical one unless it is `none`."""

    name: Name | None = None
    ends: Ends = Field(validation_alias="between")
    length_km: LengthKm = Field(default=0.0, validation_alias="length")
    quantum: Annotated[Quantum | None, NoneWord] = None
    classical: Annotated[ClassicalEntry | None, NoneWord] = ClassicalEntry()


class File(Section):
    """A topology of qnetem: nodes, links, and what happens to them."""

    name: Name
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    time: Time = Time()
    formalism: FormalismName = "auto"
    approximate: Literal["none", "twirl"] = "none"
    record: Literal["full", "hashes"] = "full"
    on_error: Literal["stop", "continue"] = "stop"
    defaults: DefaultsEntry = DefaultsEntry()
    kinds: Annotated[dict[Kind, KindEntry], _EMPTY] = Field(default_factory=dict)
    hardware: Annotated[dict[Name, Devices], _EMPTY] = Field(default_factory=dict)
    nodes: Annotated[dict[Name, NodeEntry], _EMPTY] = Field(min_length=1)
    links: Annotated[list[LinkEntry], _NO_ENTRY] = Field(default_factory=list)
    faults: Faults = Field(default_factory=list)
    expect: Annotated[dict[str, Comparison], _EMPTY] = Field(default_factory=dict)
