"""Names: nodes, links and qnetem's own words never collide, and a name is what was written, everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from qnetem.emulator.errors import TopologyError
from qnetem.emulator.loading import build_topology, load_topology, parse_topology
from qnetem.emulator.topology.faults.plan import read_live_faults

#: Words in which YAML 1.1 or 1.2 reads something else, and which are names all the same.
WORDS = ["true", "False", "null", "no", "yes", "on", "off", "y", "n"]
_ENTANGLE = "entangle: {success: 1, fidelity: 1, attempt: 1 ms}"
LINE = (
    "name: x\nnodes: {%s: , b: , e: {kind: eavesdropper}}\n"
    f"links: [{{between: [%s, b], quantum: {{length: 1 km, {_ENTANGLE}}}}}]\n"
)


def refusal(text: str) -> TopologyError:
    with pytest.raises(TopologyError) as caught:
        parse_topology(text, "net.yaml")
    return caught.value


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("quote", ["", "'"])
def test_a_name_is_the_word_that_was_written_in_every_place(word: str, quote: str) -> None:
    name = f"{quote}{word}{quote}"
    faults = f"""\
faults:
  schedule:
    - {{at: 1 s, kill: {name}, restart: 1 ms}}
    - {{at: 2 s, for: 1 s, pause: [{name}]}}
    - {{at: 3 s, for: 1 s, partition: [[{name}], [b]]}}
    - {{at: 4 s, for: 1 s, lost_herald: {word}-b, probability: 0.1, end: {name}}}
    - {{at: 5 s, for: 1 s, cut: {{node: {name}}}}}
    - {{at: 6 s, for: 1 s, pause: {{name: {name}}}}}
    - {{at: 7 s, for: 1 s, blind: {name}}}
  random: {{rate: 1 Hz, until: 2 s, kinds: pause, spare: [{name}, e]}}
"""
    detector = LINE.replace("%s: ,", "%s: {detector: {}},")
    topology = parse_topology(detector % (name, name) + faults)
    assert list(topology.nodes) == [word, "b", "e"]
    assert topology.links[f"{word}-b"].ends == (word, "b")
    targets = [fault.target for fault in topology.faults if not fault.id.startswith("random")]
    assert targets == [word, word, f"{word}|b", f"{word}-b", f"{word}-b", word, word]
    assert topology.faults[3].parameters["end"] == word
    assert {fault.target for fault in topology.faults if fault.id.startswith("random")} <= {"b"}
    (live,) = read_live_faults(f"{{kill: {name}}}", topology, "1")
    assert live.target == word


@pytest.mark.parametrize("word", WORDS)
def test_topologies_links_and_presets_have_such_names_too(word: str) -> None:
    text = (
        f"name: {word}\nhardware: {{{word}: {{memory: {{slots: 3}}}}}}\n"
        f"defaults: {{hardware: {word}}}\nnodes: {{a: , b: {{hardware: [{word}]}}}}\n"
        f"links: [{{between: [a, b], name: {word}}}]\nexpect: {{a.{word}: '== 1'}}\n"
    )
    topology = parse_topology(text)
    assert (topology.name, list(topology.links)) == (word, [word])
    assert [node.memory.slots for node in topology.nodes.values()] == [3, 3]


@pytest.mark.parametrize(
    "name",
    [
        "~",
        "1",
        "0x10",
        "1e3",
        "0o7",
        "1_000",
        "2026-01-01",
        "1:30",
        "''",
        "' a'",
        "a b",
        "a.b",
        "a/b",
        "a+",
        "'a#'",
        "$a",
        "é",
        "a--b",
        "-a",
        "_a",
    ],
)
def test_what_cannot_be_a_name_is_one_nowhere(name: str) -> None:
    assert "cannot be a name" in str(refusal(LINE % (name, "b")))
    error = refusal(LINE % ("a", name))
    assert "between" in str(error) and error.line == 3
    written = f"name: x\nnodes: {{a: , b: }}\nlinks: [{{between: [a, b], name: {name}}}]\n"
    assert refusal(written).line == 3


@pytest.mark.parametrize("word", ["links", "faults", "messages", "time"])
def test_the_words_of_metrics_and_journal_name_neither_node_nor_link(word: str) -> None:
    error = refusal(LINE % (word, word))
    assert (error.line, error.column) == (2, 9)
    assert "expected another name" in error.problem
    error = refusal(f"name: x\nnodes: {{a: , b: }}\nlinks: [{{between: [a, b], name: {word}}}]\n")
    assert "expected another name" in error.problem and error.line == 3


def test_a_link_has_not_the_name_of_a_node() -> None:
    error = refusal("name: x\nnodes: {a-b: , a: , b: }\nlinks: [{between: [a, b]}]\n")
    assert "there is a node 'a-b'" in error.problem and error.line == 3
    error = refusal("name: x\nnodes: {a: , b: }\nlinks: [{between: [a, b], name: b}]\n")
    assert "there is a node 'b'" in error.problem


def test_nodes_that_differ_in_case_only_are_refused() -> None:
    error = refusal("name: x\nnodes: {Alice: , bob: , alice: }\n")
    assert (error.line, error.column) == (2, 25)
    assert "'alice' and 'Alice' differ in case only" in error.problem


def test_data_have_names_that_are_text() -> None:
    link = {"between": [True, "b"]}
    with pytest.raises(TopologyError, match="expected two node names"):
        build_topology({"name": "x", "nodes": {"true": {}, "b": {}}, "links": [link]})


def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(TopologyError, match="too large"):
        load_topology(Path("/dev/zero"))
