"""Sections of faults of right and wrong parts: a topology or a clear error, with any seed, frozen too."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from qnetem.cli.schedule_command import by_time, frozen
from qnetem.emulator.errors import InputError, TopologyError
from qnetem.emulator.faults.base import Parameter
from qnetem.emulator.faults.kinds import FAULT_KINDS
from qnetem.emulator.loading import Topology, load_topology, parse_topology, with_seed
from qnetem.emulator.topology.model.faults import FaultSpec

NET = """\
name: net
nodes:
  a: {source: {}, detector: {}}
  r: {kind: repeater}
  b: {source: {}, detector: {}}
links:
  - {between: [a, r], quantum: {entangle: {success: 1, fidelity: 1, attempt: 1 ms}}}
  - {between: [r, b], quantum: {entangle: {success: 1, fidelity: 1, attempt: 1 ms}}}
  - {between: [a, b], length: 5 km, quantum: {}}
"""

times = st.sampled_from(["1 ns", "1 ms", "250 ms", "1 s", "3 s"])
periods = st.sampled_from(["1 ns", "250 ms", "1 s", "3 s"])  # thousands of faults take seconds
NODES = ["a", "r", "b", "all", "one", "50 %", "[a, b]", "{kind: repeater}", "{pick: one}"]
LINKS = [
    "a-r",
    "r-b",
    "a-b",
    "all",
    "one",
    "30 %",
    "[a-r, a-b]",
    "{node: a}",
    "{name: 'a*', pick: one}",
]
TARGETS = {
    "node": NODES,
    "link": LINKS,
    "either": NODES + LINKS,
    "groups": ["[[a], [b]]", "[[a, r], [b]]"],
}
VALUES = {
    "time": ["1 ms", "2 us"],
    "probability": ["0.5", "30 %"],
    "loss": ["3 dB"],
    "angle": ["0.1 rad", "5 deg"],
    "frequency": ["100 Hz"],
    "bandwidth": ["1 Mbit/s"],
    "count": ["1", "3"],
    "flag": ["true", "false"],
    "node": ["a", "b"],
}
wrong = st.sampled_from(
    [
        "",
        "~",
        "[]",
        "{}",
        "-1 s",
        "1e999",
        "nan",
        "'",
        "0x7f",
        "[[]]",
        "{a: {}}",
        "9999999999999999 s",
        "'ä'",
        "soon",
    ]
) | st.text(max_size=4)


def mostly(good: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """The good ones, and a bad one now and then."""
    return st.integers(0, 19).flatmap(lambda number: good if number else wrong)


def values(parameter: Parameter) -> st.SearchStrategy[str]:
    """What fits a parameter of a fault, as far as its dimension goes."""
    return st.sampled_from(parameter.words or VALUES.get(parameter.dimension, ["1", "1 s"]))


@st.composite
def entries(draw: st.DrawFn) -> str:
    """One entry in which most keys belong to its fault and most values to their keys."""
    verb = draw(st.sampled_from(sorted(FAULT_KINDS)))
    kind = FAULT_KINDS[verb]
    parts = [f"{verb}: {draw(mostly(st.sampled_from(TARGETS[kind.target])))}"]
    when = draw(st.sampled_from(["at", "at", "at", "at", "every", "every", "none"]))
    if when != "none":
        parts.append(f"{when}: {draw(mostly(times if when == 'at' else periods))}")
    if when == "every":
        parts.append(f"until: {draw(mostly(st.just('5 s')))}")
    if kind.lasting and draw(st.booleans()):
        parts.append(f"for: {draw(mostly(times))}")
    for name, parameter in kind.parameters.items():
        if parameter.required or draw(st.booleans()):
            parts.append(f"{name}: {draw(mostly(values(parameter)))}")
    if draw(st.integers(0, 19)) == 0:
        parts.append(f"{draw(wrong)}: {draw(wrong)}")
    return "{" + ", ".join(draw(st.permutations(parts))) + "}"


@st.composite
def campaigns(draw: st.DrawFn) -> str:
    """The keys of `random`."""
    parts = [f"rate: {draw(mostly(st.sampled_from(['3 Hz', '20 per s', '0.5 Hz'])))}"]
    parts.append(f"until: {draw(mostly(st.just('5 s')))}")
    chosen = {
        "from": times,
        "for": times | st.just("[1 ms, 20 ms]"),
        "kinds": st.sampled_from(["[kill, cut]", "loss", "[delay, jitter, pause]"]),
        "spare": st.sampled_from(["[a]", "[a, a-b]", "[r, r-b]"]),
    }
    parts += [
        f"{key}: {draw(mostly(found))}" for key, found in chosen.items() if draw(st.booleans())
    ]
    return "{" + ", ".join(parts) + "}"


@st.composite
def sections(draw: st.DrawFn) -> str:
    """The section `faults`, in its two forms."""
    listed = draw(st.lists(entries(), max_size=3))
    if draw(st.booleans()):
        return (
            "faults:\n" + "".join(f"  - {entry}\n" for entry in listed)
            if listed
            else "faults: []\n"
        )
    schedule = f"  schedule: [{', '.join(listed)}]\n" if listed else ""
    return f"faults:\n  random: {draw(campaigns())}\n{schedule}"


def topology_or_none(text: str) -> Topology | None:
    """None for what is refused, which must be at a place."""
    try:
        return parse_topology(text, "net.yaml")
    except TopologyError as error:
        assert error.line >= 1 and error.column >= 1  # noqa: PT017 -- it may also be good
        assert str(error).startswith("net.yaml:")  # noqa: PT017
        return None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sections(), st.integers(0, 2**63 - 1))
def test_a_section_of_faults_is_a_plan_or_an_error_with_any_seed(section: str, seed: int) -> None:
    topology = topology_or_none(NET + section)
    if topology is None:
        return
    assert Topology.from_data(topology.to_data()).to_data() == topology.to_data()
    try:
        other = with_seed(topology, seed)
    except TopologyError as error:  # with this seed a node would be killed that is dead
        assert error.line >= 1  # noqa: PT017 -- it may also be good
        return
    assert with_seed(other, topology.seed).faults == topology.faults


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(sections(), st.sampled_from(["", "# a word\n", "expect: {}\n"]), st.integers(0, 99))
@example("faults:\n  - {cut: a-r, every: 1 s, until: 30 s}\n", "", 0)  # 0.1 and 0.10 are two names
def test_a_frozen_file_holds_the_same_faults_with_any_seed(
    tmp_path: Path, section: str, after: str, seed: int
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(NET + section + after, encoding="utf-8", newline="")
    try:
        topology = load_topology(path)
    except TopologyError:
        return
    again = with_seed(parse_topology(frozen(topology)), seed)
    assert [told(fault) for fault in by_time(again)] == [told(fault) for fault in by_time(topology)]


def told(fault: FaultSpec) -> object:
    """What a fault does; its name is its place in the file."""
    return fault.model_dump(exclude={"id"})


@pytest.mark.parametrize(
    "length", ["9" * 10**5 + " km", "9" * 10**5, "1 " + "k" * 10**5, "x" * 10**5]
)
def test_an_error_shows_of_a_value_without_end_how_it_begins(length: str) -> None:
    with pytest.raises(TopologyError) as caught:
        parse_topology(NET + f"  - {{between: [a, b], name: more, length: {length}}}\n")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "text",
    [
        "{name: x, nodes: {a: , b: }, links: [{between: [a, b]}], faults: [{at: 1 s, cut: a-b}]}\n",
        "name: x\nnodes: {a: , b: }\nlinks: [{between: [a, b]}]\n'faults': [{at: 1 s, cut: a-b}]\n",
        "name: x\nnodes: {a: , b: }\nlinks: [{between: [a, b]}]\nfaults : [{at: 1 s, cut: a-b}]\n",
    ],
)
def test_a_file_whose_faults_are_no_section_of_their_own_is_not_frozen_into_another(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"net\.yaml cannot be frozen: .*`faults:`"):
        frozen(load_topology(path))
