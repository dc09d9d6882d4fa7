"""The JSON Schema says what the loader does."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from qnetem.emulator.faults.kinds import FAULT_KINDS
from qnetem.emulator.loading import json_schema
from qnetem.emulator.topology.reading.topology_file import File
from qnetem.emulator.topology.written.vocabulary import written_keys

from ..topologies import METRO, TWO_NODES, refusal
from .test_fibre_keys import EVERYTHING

SCHEMA = json_schema()
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value fits a schema: as much of draft 2020-12 as ours uses."""
    if "$ref" in schema:
        return fits(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema and not any(fits(value, choice) for choice in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(fits(value, choice) for choice in schema["oneOf"]) != 1:
        return False
    if ("const" in schema and value != schema["const"]) or value not in schema.get("enum", [value]):
        return False
    return _has_type(value, schema) and _keeps_limits(value, schema)


def _has_type(value: Any, schema: dict[str, Any]) -> bool:
    names = schema.get("type", list(_TYPES))
    names = [names] if isinstance(names, str) else names
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, _TYPES[name]) for name in names)


def _keeps_limits(value: Any, schema: dict[str, Any]) -> bool:
    if isinstance(value, dict):
        return _has_good_entries(value, schema)
    if isinstance(value, list):
        long_enough = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return long_enough and all(fits(item, schema.get("items", {})) for item in value)
    if isinstance(value, str):
        long_enough = schema.get("minLength", 0) <= len(value)
        return long_enough and re.search(schema.get("pattern", ""), value) is not None
    if value is None:
        return True
    low, high = schema.get("minimum", value), schema.get("maximum", value)
    return bool(low <= value <= high and value > schema.get("exclusiveMinimum", value - 1))


def _has_good_entries(value: dict[str, Any], schema: dict[str, Any]) -> bool:
    if any(key not in value for key in schema.get("required", [])):
        return False
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    patterns = schema.get("patternProperties", {})
    for key, entry in value.items():
        matching = [each for pattern, each in patterns.items() if re.search(pattern, key)]
        if key in properties:
            matching.append(properties[key])
        elif not matching and others is False:
            return False
        elif isinstance(others, dict):
            matching.append(others)
        if not all(fits(entry, each) for each in matching):
            return False
    return all(fits(key, schema.get("propertyNames", {})) for key in value)


def test_the_schema_is_json_and_every_reference_in_it_leads_somewhere() -> None:
    text = json.dumps(SCHEMA)
    assert SCHEMA["$schema"].endswith("2020-12/schema")
    assert all(name in SCHEMA["$defs"] for name in re.findall(r'"#/\$defs/(\w+)"', text))
    for pattern in re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', text):
        re.compile(json.loads(pattern))


def test_the_schema_speaks_the_words_of_the_file() -> None:
    assert list(SCHEMA["properties"]) == written_keys(File)
    units = re.compile(
        r"\"(?!loss_db\")\w+_(ns|km|bps|db|ps|nm|rad|dbm|k|hz|s)\""
    )  # loss_db is a fault
    assert not units.search(json.dumps(SCHEMA))


@pytest.mark.parametrize(
    "text",
    [
        METRO,
        TWO_NODES,
        TWO_NODES
        + "defaults: {quantum: {entangle: {attempt: 1 ms}}, hardware: [ideal, nv_centre]}",
        TWO_NODES + "links: [{between: [alice, bob], quantum: {dephasing: 1 %}, classical: none}]",
        TWO_NODES
        + "kinds: {repeater: {memory: {t1: none}}}\nseed: 5\ntime: {mode: real, speed: 2}",
        f"{TWO_NODES}links:\n  - between: [alice, bob]{EVERYTHING}",
        TWO_NODES + "defaults: {quantum: {environment: {phase_drift: 1 rad2/s}, pulse: none}}",
        TWO_NODES + "defaults: {memory: {noise: none, cutoff: 1 s, initialisation: 2 us}}",
        TWO_NODES + "hardware: {ion: {memory: {initialisation_error: 1 %, cutoff: none}}}",
    ],
)
def test_what_loads_fits_the_schema(text: str) -> None:
    assert fits(yaml.safe_load(text.replace("1_000", "1000")), SCHEMA)


@pytest.mark.parametrize(
    "more",
    [
        "colour: red",
        "seed: -1",
        "time: {until: 5}",
        "time: {until: 5 km}",
        "kinds: {satelite: {}}",
        "defaults: {memory: {t1_ns: 5}}",
        "defaults: {memory: {noise: flip}}",
        "defaults: {memory: {cutoff: 5 km}}",
        "defaults: {memory: {initialisation_error: -1}}",
        "defaults: {gates: {two_error: 2}}",
        "hardware: {snspd: {detector: {efficiency: 1.2}}}",
        "links: [{between: [alice]}]",
        "links: [{length: 5 km}]",
        "links: [{between: [alice, bob], quantum: }]",
        "links: [{between: [alice, bob], quantum: {medium: air}}]",
        "links: [{between: [alice, bob], quantum: {preset: best}}]",
        "links: [{between: [alice, bob], quantum: {pmd: 1 ps/km}}]",
        "links: [{between: [alice, bob], quantum: {noise: flip}}]",
        "links: [{between: [alice, bob], quantum: {environment: {grid: 1 km}}}]",
        "links: [{between: [alice, bob], quantum: {pulse: {duration: 5 s}}}]",
        "faults: [{at: 1 s}]",
        "faults: [{at: 1 s, cut: a, kill: b}]",
        "faults: [{at: 1 s, for: 1 s, kill: bob}]",
        "expect: {bob.qber: 0.1}",
    ],
)
def test_what_does_not_fit_the_schema_does_not_load(more: str) -> None:
    assert not fits(yaml.safe_load(TWO_NODES + more), SCHEMA)
    assert refusal(TWO_NODES + more).line >= 1


def test_every_fault_of_the_table_is_in_the_schema() -> None:
    schedule, _, section = SCHEMA["properties"]["faults"]["anyOf"]
    assert section["properties"]["schedule"] == schedule
    verbs = schedule["items"]["oneOf"]
    assert len(verbs) == len(FAULT_KINDS)
    for kind, schema in zip(FAULT_KINDS.values(), verbs, strict=True):
        keys = {"at", "every", "until", "id", kind.verb, *kind.parameters} | (
            {"for"} if kind.lasting else set()
        )
        assert set(schema["properties"]) == keys
