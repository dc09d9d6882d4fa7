"""What a node is: its layers, its kind, its hardware and its limits."""

from __future__ import annotations

from typing import get_args

import pytest

from qnetem.emulator.loading import parse_topology
from qnetem.emulator.topology.model.kinds import KINDS, Kind
from qnetem.emulator.topology.model.topology import Devices, Memory, NodeSpec
from qnetem.emulator.topology.reading.presets import PRESETS
from qnetem.emulator.topology.written.positions import Position, written
from qnetem.emulator.topology.written.problems import Problems

from ..topologies import refusal


def node(entry: str, more: str = "") -> NodeSpec:
    return parse_topology(f"name: x\nnodes:\n  n: {entry}\n{more}").nodes["n"]


def test_every_kind_has_a_row_and_every_row_is_a_kind() -> None:
    assert list(KINDS) == list(get_args(Kind))


def test_a_node_is_an_endpoint_unless_it_says_otherwise() -> None:
    assert (node("").kind, node("").service) == ("endpoint", False)
    assert node("").program == "qnetem.agents.roles.endpoint:Endpoint"


@pytest.mark.parametrize("kind", ["repeater", "satellite", "station"])
def test_a_kind_that_works_for_others_is_a_service_unless_told_otherwise(kind: str) -> None:
    assert node(f"{{kind: {kind}}}").service
    assert not node(f"{{kind: {kind}, service: false}}").service


def test_a_repeater_swaps_unless_it_has_another_program() -> None:
    assert node("{kind: repeater}").program == "qnetem.agents.roles.repeater:Repeater"
    assert node("{kind: repeater, program: 'my.module:Class'}").program == "my.module:Class"


LAYERS = """\
defaults: {memory: {slots: 1, t1: 1 s, t2: 1 s}, gates: {single: 1 us}}
kinds: {repeater: {memory: {slots: 2, t1: 2 s}, hardware: lab, with: {a: 1, b: 1}}}
hardware: {lab: {memory: {slots: 3}}, fast: {gates: {two: 3 us}}}
"""


def test_defaults_lie_below_kinds_below_presets_below_nodes() -> None:
    endpoint = node("{}", LAYERS)
    assert (endpoint.memory.slots, endpoint.memory.t1_ns) == (1, 10**9)
    repeater = node("{kind: repeater}", LAYERS)
    assert (repeater.memory.slots, repeater.memory.t1_ns) == (3, 2 * 10**9)
    assert (repeater.memory.t2_ns, repeater.gates.single_ns) == (10**9, 1000)
    own = node("{kind: repeater, memory: {slots: 4}, with: {b: 2}}", LAYERS)
    assert (own.memory.slots, own.memory.t1_ns) == (4, 2 * 10**9)
    assert own.options == {"a": 1, "b": 2}


def test_a_node_chooses_its_own_presets_the_later_over_the_earlier() -> None:
    both = node("{hardware: [nv_centre, lab, fast]}", LAYERS)
    assert (both.memory.slots, both.gates.two_ns, both.gates.two_error) == (3, 3000, 0.03176)
    assert node("{kind: repeater, hardware: fast}", LAYERS).memory.slots == 2


def test_defaults_may_choose_a_preset_for_all() -> None:
    assert node("{}", "defaults: {hardware: nv_centre}").memory.t1_ns == 3600 * 10**9


def test_a_preset_of_the_file_replaces_one_that_comes_with_us() -> None:
    own = node("{hardware: nv_centre}", "hardware: {nv_centre: {memory: {slots: 2}}}")
    assert (own.memory.slots, own.memory.t1_ns) == (2, None)


def test_an_unknown_preset_is_refused_with_the_nearest_one() -> None:
    error = refusal("name: x\nnodes: {a: {hardware: nv_center}}")
    assert str(error) == (
        "net.yaml:2:23: nodes.a.hardware: unknown hardware preset 'nv_center'; "
        "did you mean 'nv_centre'?"
    )


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_built_in_preset_is_valid_hardware_with_a_source(name: str) -> None:
    problems = Problems(name)
    devices = problems.check(Devices, written(PRESETS[name].sections, Position(1, 1)))
    problems.raise_first()
    assert devices is not None and PRESETS[name].source


def test_ideal_hardware_overrides_whatever_lies_below() -> None:
    ideal = node("{hardware: ideal}", LAYERS)
    assert (ideal.memory.t1_ns, ideal.memory.t2_ns, ideal.gates.single_ns) == (None, None, 0)


@pytest.mark.parametrize("never", ["none", "null", ""])
def test_a_node_can_switch_off_the_decay_that_defaults_gave_it(never: str) -> None:
    memory = node(f"{{memory: {{t2: {never}}}}}", LAYERS).memory
    assert (memory.t1_ns, memory.t2_ns) == (10**9, None)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{memory: {slots: 0}}", "memory.slots: expected at least 1, found 0"),
        ("{memory: {slots: 1.5}}", "memory.slots: expected a whole number, found 1.5"),
        (
            "{memory: {t1: 0 s}}",
            "memory.t1: expected a time such as 10 ms (more than 0 ns), or none",
        ),
        ("{memory: {t1: -1 s}}", "memory.t1: expected a time such as 10 ms (more than 0 ns)"),
        ("{memory: {t1: 5 Hz}}", "memory.t1: '5 Hz' is a frequency: expected a time"),
        ("{memory: {t1: [1 s]}}", "memory.t1: expected a time such as 10 ms"),
        ("{memory: {t1_ns: 5}}", "memory: unknown key 't1_ns'; expected one of slots, t1, t2"),
        (
            "{memory: {cutoff: 0 s}}",
            "memory.cutoff: expected a time such as 10 ms (more than 0 ns)",
        ),
        ("{memory: {initialisation: -1 ns}}", "(of 0 ns or more)"),
        ("{memory: {initialisation_error: 2}}", "expected a probability (from 0 to 1)"),
        ("{memory: {noise: flip}}", "expected 'module:function' or './file.py:function'"),
        ("{memory: {noise: './nowhere.py:f'}}", "there is no file"),
        ("{memory: {noise: 'nowhere_at_all:f'}}", "it cannot be imported"),
        ("{memory: 16}", "memory: expected a mapping, found 16"),
        (
            "{gates: {single: -1 ns}}",
            "gates.single: expected a time such as 10 ms (of 0 ns or more)",
        ),
        ("{gates: {two_error: 1.01}}", "gates.two_error: expected a probability (from 0 to 1)"),
        ("{gates: {two_error: -1 %}}", "gates.two_error: expected a probability (from 0 to 1)"),
        ("{measurement: {error: high}}", "measurement.error: expected a probability"),
        ("{kind: repeter}", "kind: 'repeter' is not known here; did you mean 'repeater'?"),
        ("{name: m}", "unknown key 'name'"),
        ("{options: {a: 1}}", "unknown key 'options'"),
        ("{with: 3}", "with: expected a mapping, found 3"),
        ("{service: yes}", "service: expected true or false, found 'yes'"),
        ("{program: Bob}", "program: expected 'module:Class' or './file.py:Class', found 'Bob'"),
        ("{program: 'a.py:1'}", "program: expected 'module:Class' or './file.py:Class'"),
        ("{hardware: 3}", "hardware: expected the name of a preset, or a list of names, found 3"),
        ("[]", "expected a mapping, found a list"),
    ],
)
def test_a_wrong_node_is_refused_with_what_was_expected(entry: str, said: str) -> None:
    error = refusal(f"name: x\nnodes:\n  n: {entry}\n")
    assert error.line == 3
    assert error.problem.startswith("nodes.n") and said in error.problem


def test_t2_cannot_exceed_twice_t1_in_whatever_layers_they_stand() -> None:
    assert node("{memory: {t1: 1 s, t2: 2 s}}").memory.t2_ns == 2 * 10**9
    error = refusal("name: x\ndefaults: {memory: {t2: 3 s}}\nnodes: {n: {memory: {t1: 1 s}}}")
    assert (error.line, error.column) == (2, 25)
    assert "expected at most 2 s, found 3 s" in error.problem


def test_the_resolved_model_is_made_with_its_own_names_in_python() -> None:
    assert Memory(slots=2, t1_ns=10).model_dump() == {
        "slots": 2,
        "t1_ns": 10,
        "t2_ns": None,
        "noise": None,
        "initialisation_ns": 0,
        "initialisation_error": 0.0,
        "cutoff_ns": None,
        "communication": None,
        "dephasing_per_attempt": 0.0,
    }


def test_a_resolved_node_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        node("").service = True
