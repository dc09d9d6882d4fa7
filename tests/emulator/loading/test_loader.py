"""From a file to a topology, and every way in which a file can be no topology."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.emulator.errors import TopologyError
from qnetem.emulator.loading import Topology, load_topology, parse_topology, with_seed

from ..topology.topologies import METRO, TWO_NODES, refusal


def test_the_example_of_the_design_loads_resolved() -> None:
    topology = parse_topology(METRO)
    assert (topology.name, topology.seed, topology.time.until_ns) == ("metro", 7, 60 * 10**9)
    assert list(topology.nodes) == ["alice", "r1", "bob"]
    assert list(topology.links) == ["alice-r1", "r1-bob"]
    assert topology.nodes["alice"].options == {"pulses": 1000}
    assert topology.nodes["bob"].memory.t2_ns == 10**9
    assert topology.expect == {"bob.qber": "< 0.11"}
    assert [fault.verb for fault in topology.faults] == ["cut", "kill"]


def test_what_is_not_said_has_its_default() -> None:
    topology = parse_topology(TWO_NODES)
    assert (topology.seed, topology.formalism, topology.record) == (0, "auto", "full")
    assert (topology.on_error, topology.time.mode, topology.time.until_ns) == (
        "stop",
        "virtual",
        None,
    )
    assert topology.links == {} and topology.faults == [] and topology.expect == {}
    assert topology.nodes["alice"].memory.slots == 16
    assert topology.source is None


def test_empty_sections_are_as_good_as_none() -> None:
    sections = "links:\nfaults:\nexpect:\ndefaults:\nkinds:\nhardware:\ntime:\n"
    assert parse_topology(TWO_NODES + sections).to_data() == parse_topology(TWO_NODES).to_data()


def test_a_resolved_copy_survives_json_and_needs_no_file() -> None:
    topology = parse_topology(METRO)
    copy = Topology.from_data(json.loads(json.dumps(topology.to_data())))
    assert copy.to_data() == topology.to_data()
    assert copy.links["alice-r1"].ends == ("alice", "r1")
    assert copy.faults[1].parameters == {"restart": 250_000_000}


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(seed="7"),
        lambda data: data.update(colour="red"),
        lambda data: data.pop("name"),
        lambda data: data["nodes"]["bob"]["memory"].update(t1=5),
        lambda data: data["nodes"]["bob"]["memory"].update(t1_ns=5, t2_ns=11),
        lambda data: data["links"]["r1-bob"]["quantum"].update(length_km=-1.0),
    ],
)
def test_data_that_are_not_a_resolved_copy_are_refused(change: object) -> None:
    data = parse_topology(METRO).to_data()
    assert callable(change)
    change(data)
    with pytest.raises(TopologyError, match="not the data of a topology"):
        Topology.from_data(data)


def test_another_seed_changes_the_seed_only() -> None:
    topology = parse_topology(METRO, "net.yaml")
    other = with_seed(topology, 9)
    assert other.seed == 9 and topology.seed == 7
    assert other.to_data() == {**topology.to_data(), "seed": 9}
    assert other.place("seed") == topology.place("seed") == (2, 7, "net.yaml")


@pytest.mark.parametrize("seed", [-1, 2**63, True])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(TopologyError, match="whole number from 0"):
        with_seed(parse_topology(METRO), seed)


def test_a_place_is_the_value_or_the_nearest_thing_around_it() -> None:
    topology = parse_topology(METRO, "net.yaml")
    assert topology.place("nodes", "alice", "memory", "t2") == (4, 25, "net.yaml")
    assert topology.place("nodes", "r1", "kind") == (7, 17, "net.yaml")
    assert topology.place("nodes", "r1", "colour") == (7, 3, "net.yaml")
    assert topology.place("links", "r1-bob", "between") == (11, 6, "net.yaml")
    assert topology.place("faults", 1, "restart") == (14, 34, "net.yaml")
    assert topology.place("expect", "bob.qber") == (15, 20, "net.yaml")
    assert topology.place("nothing") == (1, 1, "net.yaml")


def test_an_error_about_a_value_names_its_place() -> None:
    error = parse_topology(METRO, "net.yaml").error("no such file", "nodes", "bob", "program")
    assert str(error) == "net.yaml:8:36: no such file"


def test_a_fault_remembers_where_it_stands() -> None:
    faults = parse_topology(METRO, "net.yaml").faults
    assert [str(fault.place) for fault in faults] == ["net.yaml:13:5", "net.yaml:14:5"]


def test_a_program_file_is_found_next_to_the_topology(tmp_path: Path) -> None:
    path = tmp_path / "metro.yaml"
    path.write_text(METRO, encoding="utf-8")
    topology = load_topology(path)
    assert topology.nodes["bob"].program == f"{tmp_path / 'my_protocol.py'}:Bob"
    assert topology.nodes["alice"].program == "qnetem.agents.protocols.qkd.bb84:Sender"
    assert topology.source == path


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "metro.yaml"
    path.write_text(METRO, encoding="utf-8-sig")
    assert load_topology(path).name == "metro"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match=r"gone\.yaml: there is no such file"):
        load_topology(tmp_path / "gone.yaml")


@pytest.mark.parametrize("name", ["", "null\0.yaml"])
def test_a_path_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(TopologyError, match="cannot be read"):
        load_topology(f"{tmp_path}/{name}")


def test_a_file_that_is_not_utf8_is_refused_where_it_is_not(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"name: two\nnodes: {z\xfcrich: }\n")
    with pytest.raises(TopologyError, match="not UTF-8") as caught:
        load_topology(path)
    assert (caught.value.line, caught.value.column) == (2, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: the file is empty"),
        ("# nothing but a remark\n", "1:1: the file is empty"),
        ("[alice, bob]", "1:1: expected a mapping with the keys name, nodes and links"),
        ("nodes: {a: }", "1:1: 'name' is missing"),
        ("name: x", "1:1: 'nodes' is missing"),
        ("name: x\nnodes: {}", "2:1: nodes: expected at least 1 entry, found nothing"),
        ("name: x\nnodes: 3", "2:8: nodes: expected a mapping, found 3"),
        (TWO_NODES + "sead: 4", "3:1: unknown key 'sead'; did you mean 'seed'?"),
        ("nmae: x\nnodes: {a: }", "1:1: unknown key 'nmae'; did you mean 'name'?"),
        (TWO_NODES + "seed: 1.5", "3:7: seed: expected a whole number, found 1.5"),
        (TWO_NODES + "seed: '4'", "3:7: seed: expected a whole number, found '4'"),
        (TWO_NODES + "seed: -1", "3:7: seed: expected at least 0, found -1"),
        (TWO_NODES + "time: {until: 5}", "3:15: time.until: 5 has no unit"),
        (TWO_NODES + "time: {until: 5 km}", "3:15: time.until: '5 km' is a length"),
        (TWO_NODES + "time: {until: 1e400 s}", "3:15: time.until: expected a finite quantity"),
        (TWO_NODES + "time: {until: 300000000000 h}", "3:15: time.until: expected a time of at"),
        (TWO_NODES + "time: {speed: 0}", "3:15: time.speed: expected a number (more than 0)"),
        (TWO_NODES + "time: real", "3:7: time: expected a mapping, found 'real'"),
        (
            TWO_NODES + "formalism: density",
            "3:12: formalism: 'density' is not known here; did you mean 'density_matrix'?",
        ),
        (TWO_NODES + "record: all", "3:9: record: 'all' is not known here"),
        (TWO_NODES + "links: {a: b}", "3:1: links: expected a list, found a mapping"),
        (TWO_NODES + "faults: [kill]", "3:10: faults[0]: expected a mapping such as"),
        (TWO_NODES + "expect: {bob.qber: 0.1}", "3:20: expect.bob.qber: expected a comparison"),
        ("name: a/b\nnodes: {a: }", "1:7: name: 'a/b' cannot be a name: expected a letter, then"),
    ],
)
def test_an_error_says_where_what_stands_there_and_what_was_expected(
    text: str, message: str
) -> None:
    assert str(refusal(text)).startswith(f"net.yaml:{message}")


@pytest.mark.parametrize("name", ["a/b", "a+", "#", "a@b", "a b", "1a", "-a", "a--b", "a-", "é"])
def test_a_name_that_no_topic_can_carry_is_refused(name: str) -> None:
    error = refusal(f'name: x\nnodes: {{"{name}": }}')
    assert "cannot be a name: expected a letter, then letters, digits and _" in error.problem
    assert (error.line, error.column) == (2, 9)


def test_a_name_may_be_64_characters_long_and_no_more() -> None:
    assert list(parse_topology(f"name: x\nnodes: {{{'a' * 64}: }}").nodes) == ["a" * 64]
    assert "at most 64 characters" in str(refusal(f"name: x\nnodes: {{{'a' * 65}: }}"))


def test_one_node_name_twice_is_refused_at_the_second() -> None:
    error = refusal("name: x\nnodes:\n  alice: {}\n  bob: {}\n  alice: {}\n")
    assert str(error) == ("net.yaml:5:3: 'alice' stands twice in one mapping; first in line 3")


def test_of_several_errors_the_first_in_the_file_is_told_and_the_others_counted() -> None:
    text = (
        "name: x\n"
        "nodes:\n"
        "  a: {memory: {t1: 1 s, t2: 3 s}}\n"
        "  b: {kinds: repeater}\n"
        "links:\n"
        "  - {between: [a, c]}\n"
    )
    error = refusal(text)
    assert error.line == 3
    assert error.problem.startswith("nodes.a.memory.t2: T2 cannot exceed 2 T1")
    assert error.problem.endswith("(and 2 more)")


def test_one_mistake_in_a_shared_layer_is_told_once() -> None:
    error = refusal("name: x\ndefaults: {memory: {t2: 5}}\nnodes: {a: , b: , c: }\n")
    assert str(error).startswith("net.yaml:2:25: defaults.memory.t2: 5 has no unit")
    assert "more)" not in str(error)


def test_a_mistake_in_a_layer_that_is_not_used_is_told() -> None:
    error = refusal(TWO_NODES + "kinds: {satellite: {memory: {slotz: 3}}}")
    assert error.problem.endswith("unknown key 'slotz'; did you mean 'slots'?")


def test_what_has_no_effect_yet_is_refused_rather_than_ignored() -> None:
    error = refusal(TWO_NODES + "hardware: {lab: {laser: {linewidth: 1 kHz}}}")
    assert "hardware.lab: unknown key 'laser'" in error.problem


def test_loading_imports_no_physics() -> None:
    code = (
        "import sys; import qnetem.emulator.loading as t; t.parse_topology('name: x\\nnodes: {a: }');"
        "print([m for m in ('qutip', 'scipy', 'numpy', 'stim') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_no_text_raises_anything_but_a_topology_error(text: str) -> None:
    _is_topology_or_error(text)


@st.composite
def damaged_topologies(draw: st.DrawFn) -> str:
    """METRO with a few cuts, copies and insertions."""
    text = METRO
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        scraps = ["{", "]", ": ", "*a", "&a ", "<<: ", "null", "-1", "1e999", "!!set ", "\n  - "]
        scraps.append(text[start:end])
        text = text[:start] + draw(st.sampled_from(scraps) | st.text(max_size=3)) + text[end:]
    return text


@settings(max_examples=150, deadline=None)
@given(damaged_topologies())
def test_a_damaged_topology_raises_nothing_but_a_topology_error(text: str) -> None:
    _is_topology_or_error(text)


def _is_topology_or_error(text: str) -> None:
    topology, error = _outcome(text)
    if error is not None:
        assert error.line >= 1 and error.column >= 1
    if topology is not None:
        assert Topology.from_data(topology.to_data()).to_data() == topology.to_data()


def _outcome(text: str) -> tuple[Topology | None, TopologyError | None]:
    try:
        return parse_topology(text), None
    except TopologyError as error:
        return None, error
