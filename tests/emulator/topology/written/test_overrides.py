"""Values laid over a file: which place a key means, and what an error about one says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.emulator.errors import InputError, TopologyError
from qnetem.emulator.loading import Topology, parse_topology
from qnetem.emulator.topology.written.overrides import as_text, override_of_text, read_value
from qnetem.emulator.topology.written.positions import Position, written

TEXT = """\
name: metro
seed: 7
nodes:
  alice: {with: {rounds: 3, a.b: 1}}
  r-1_x: {kind: repeater}
  bob: {hardware: [fast]}
  eve: {kind: eavesdropper}
hardware:
  fast: {memory: {slots: 2}}
links:
  - between: [alice, r-1_x]
    quantum: {length: 20 km, entangle: {success: 0.1, fidelity: 0.9, attempt: 1 ms}}
  - {name: backbone, between: [r-1_x, bob], length: 5 km, quantum: {depolarising: 0.1}}
  - {name: spare, between: [r-1_x, bob], quantum: {length: 6 km}}
faults:
  - {at: 2 s, for: 1 s, cut: backbone, id: storm}
  - {at: 4 s, kill: r-1_x, restart: 250 ms}
expect: {bob.qber: "< 0.11"}
"""


def with_sets(*sets: str) -> Topology:
    return parse_topology(TEXT, overrides=[override_of_text(each) for each in sets])


def refusal(*sets: str) -> str:
    with pytest.raises(TopologyError) as error:
        with_sets(*sets)
    return str(error.value)


@pytest.mark.parametrize(
    ("set_", "before", "after"),
    [
        ("seed=9", "seed: 7", "seed: 9"),
        ("name=other", "name: metro", "name: other"),
        ("nodes.alice.with.rounds=8", "rounds: 3", "rounds: 8"),
        ("nodes.alice.with.a.b=2", "a.b: 1", "a.b: 2"),
        ('nodes.alice.with."a.b"=2', "a.b: 1", "a.b: 2"),
        ("nodes.alice.with.c={d: [1, x]}", "a.b: 1", "a.b: 1, c: {d: [1, x]}"),
        ("nodes.r-1_x.memory.t2=1 s", "{kind: repeater}", "{kind: repeater, memory: {t2: 1 s}}"),
        ("nodes.bob.hardware.0=snspd", "[fast]", "[snspd]"),
        ("hardware.fast.memory.slots=3", "slots: 2", "slots: 3"),
        ("links.alice-r-1_x.quantum.length=40 km", "20 km", "40 km"),
        ("links.r-1_x-alice.quantum.length=40 km", "20 km", "40 km"),
        ("links[0].quantum.length=40 km", "20 km", "40 km"),
        ("links.0.quantum.entangle.success=0.2", "success: 0.1", "success: 0.2"),
        ("links.backbone.length=1 km", "length: 5 km", "length: 1 km"),
        ("links.spare.quantum=none", "quantum: {length: 6 km}", "quantum: none"),
        ("faults.0.at=3 s", "at: 2 s", "at: 3 s"),
        ("faults.storm.at=3 s", "at: 2 s", "at: 3 s"),
        ("expect.bob.qber=< 0.2", '"< 0.11"', '"< 0.2"'),
        ("expect.bob.new=== 3", '"< 0.11"', '"< 0.11", bob.new: "== 3"'),
        ("time.until=3 s", "name: metro", "name: metro\ntime: {until: 3 s}"),
        ("defaults.memory.t2=1 s", "name: metro", "name: metro\ndefaults: {memory: {t2: 1 s}}"),
    ],
)
def test_an_override_is_as_good_as_the_value_in_the_file(
    set_: str, before: str, after: str
) -> None:
    assert TEXT.count(before) == 1
    edited = parse_topology(TEXT.replace(before, after))
    assert without_places(with_sets(set_)) == without_places(edited)


def without_places(topology: Topology) -> dict[str, Any]:
    data = topology.to_data()
    for each in (*data["faults"], *data["fault_entries"]):
        each["place"] = each["places"] = None
    return data


def test_text_and_data_are_the_same_override() -> None:
    of_data = {"nodes.alice.with.rounds": 8, "links.0.quantum.length": "40 km"}
    of_text = ["nodes.alice.with.rounds=8", "links.0.quantum.length=40 km"]
    topology = parse_topology(TEXT, overrides=of_data)
    assert topology.to_data() == with_sets(*of_text).to_data()
    assert topology.overrides == with_sets(*of_text).overrides == tuple(of_text)


def test_the_later_override_counts_and_values_may_be_taken_away() -> None:
    assert with_sets("seed=1", "seed=2").seed == 2
    assert with_sets("faults=").faults == []
    assert with_sets("faults=[]", "nodes.alice.with={}").nodes["alice"].options == {}


@pytest.mark.parametrize(
    ("set_", "expected"),
    [
        (
            "links.alice-r-1_x.quantum.lenght=1 km",
            "links[0].quantum: unknown key 'lenght'; did you mean 'length'?",
        ),
        ("sed=3", "unknown key 'sed'; did you mean 'seed'?"),
        (
            "links.backbon.length=1 km",
            "unknown link 'backbon'; did you mean 'backbone'?",
        ),
        ("links.bob-r-1_x.length=1 km", "2 links join bob-r-1_x: expected the name of one"),
        ("links.7.length=1 km", "links has 3 entries, the first is 0"),
        ("nodes.alcie.with.rounds=1", "unknown node 'alcie'; did you mean 'alice'?"),
        ("hardware.fest.memory.slots=1", "unknown hardware preset 'fest'; did you mean 'fast'?"),
        ("faults.strom.at=1 s", "unknown entry of faults 'strom'; did you mean 'storm'?"),
        ("faults.1.at=soon", "faults[1].at: "),
        ("seed=-1", "seed: expected at least 0, found -1"),
        ("seed.x=1", "seed is 7: there is no 'x' in it"),
        ("nodes.alice.memory.t2=1 km", "nodes.alice.memory.t2: "),
        ("links..length=3 km", "expected keys with dots between them"),
        ("seed=[", "this is not YAML"),
        ("time.0=1", "time has no entries"),
    ],
)
def test_a_wrong_override_is_named_with_what_was_expected(set_: str, expected: str) -> None:
    assert refusal(set_).startswith(f"--set {set_}: {expected}")


def test_two_lengths_of_a_link_name_both_places() -> None:
    assert refusal("links.0.length=3 km") == (
        "<text>:12:23: links[0].quantum.length: the link's length is '3 km' in --set links.0.length=3 km, "
        "but '20 km' here: expected one length"
    )


def test_an_override_is_no_line_of_the_file() -> None:
    found = refusal("links.backbone.quantum.depolarizing=0.2", "seed=x")
    assert found == (
        "--set links.backbone.quantum.depolarizing=0.2: links[1].quantum: unknown key "
        "'depolarizing'; did you mean 'depolarising'? (and 1 more)"
    )
    with pytest.raises(TopologyError, match=r"^overrides\['links.backbone.quantum.depolarizing'\]"):
        parse_topology(TEXT, overrides={"links.backbone.quantum.depolarizing": 0.2})
    assert refusal("seed=" + "x" * 100).startswith(f"--set seed={'x' * 37}...: seed: expected")


@pytest.mark.parametrize("text", ["seed", "=3", " =3"])
def test_an_override_needs_key_and_value(text: str) -> None:
    with pytest.raises(InputError, match="expected KEY=VALUE"):
        override_of_text(text)


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
    | st.sampled_from(["40 km", "true", "~", "1_000", "a: b", "- x", "#", "'", "null", "1e3"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab. ", max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=40)
@given(_VALUES)
def test_a_value_written_as_text_is_read_again_as_it_was(value: Any) -> None:
    text = as_text(written(value, Position()))
    again = read_value(text, "")
    assert again.plain() == value
    assert "\n" not in text
