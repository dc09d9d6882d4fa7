"""Drawings of a topology."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qnetem.graph import drawings as graph

from ..front_door import CHAIN, loaded


def _links(*pairs: str) -> str:
    nodes = dict.fromkeys(end for pair in pairs for end in pair.split("-"))
    lines = ["name: net", "nodes:", *(f"  {node}: {{kind: endpoint}}" for node in nodes), "links:"]
    for number, pair in enumerate(pairs):
        first, second = pair.split("-")
        lines.append(f"  - {{name: l{number}, between: [{first}, {second}], length: 1 km}}")
    return "\n".join(lines) + "\n"


def test_a_chain_is_one_line_from_end_to_end(tmp_path: Path) -> None:
    lines = graph.text(loaded(tmp_path)).splitlines()
    assert lines[0] == "chain: 3 nodes, 2 links, 2 faults, seed 7"
    assert "  alice === r1 === bob" in lines
    assert "  === quantum and classical" in lines


def test_nodes_stand_by_kind_and_links_with_their_parameters(tmp_path: Path) -> None:
    text = graph.text(loaded(tmp_path))
    nodes, links = (part.splitlines() for part in text.split("\n\n")[-2:])
    assert nodes == [
        "kind      node   memory",
        "endpoint  alice  4 slots",
        "          bob    16 slots",
        "repeater  r1     16 slots, T1 10 ms, T2 5 ms",
    ]
    assert links == [
        "link      length  latency     quantum",
        "alice-r1  25 km   122.418 us  pairs F=0.95 p=0.01 per 1 ms",
        "r1-bob    50 km   2 ms        0.2 dB/km, depolarising 0.04, dephasing 0.01",
    ]


def test_ends_stand_beside_links_that_are_not_named_after_them(tmp_path: Path) -> None:
    text = CHAIN.replace("  - between: [r1, bob]", "  - name: trunk\n    between: [r1, bob]")
    lines = graph.text(loaded(tmp_path, text)).splitlines()
    assert any(line.startswith("trunk     r1 === bob    50 km") for line in lines)


def test_a_program_is_named_as_its_file_names_it(tmp_path: Path) -> None:
    text = CHAIN.replace("bob: {kind: endpoint", 'bob: {kind: endpoint, program: "./mine.py:Bob"')
    lines = graph.text(loaded(tmp_path, text)).splitlines()
    assert "          bob    16 slots                     mine.py:Bob" in lines
    assert "endpoint  alice  4 slots                      -" in lines


def test_the_drawing_fits_a_narrow_terminal(tmp_path: Path) -> None:
    chain = [f"node{n}-node{n + 1}" for n in range(20)]
    drawing = graph.text(loaded(tmp_path, _links(*chain))).split("\n\n")[1]
    lines = drawing.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert sum(line.count("---") for line in lines if "node" in line) == 20


@pytest.mark.parametrize(
    ("pairs", "walks"),
    [
        (["a-b", "b-c", "c-d"], 1),
        (["b-c", "a-b"], 1),  # starts at an end, not in the middle
        (["a-b", "b-c", "c-a"], 1),  # a ring
        (["hub-a", "hub-b", "hub-c", "hub-d"], 2),  # a star: through the middle twice
        (["a-b", "c-d"], 2),
        (["a-b", "a-b"], 1),  # two links between the same nodes
    ],
)
def test_every_link_is_drawn_exactly_once(tmp_path: Path, pairs: list[str], walks: int) -> None:
    topology = loaded(tmp_path, _links(*pairs))
    drawn = graph.trails(list(topology.links.values()))
    links = [step for walk in drawn for step in walk[1::2]]
    assert len(drawn) == walks
    assert sorted(link.name for link in links) == sorted(topology.links)
    for walk in drawn:
        for here, link, there in zip(walk[::2], walk[1::2], walk[2::2], strict=False):
            assert {here, there} == set(link.ends)


def test_a_node_without_links_is_drawn_too(tmp_path: Path) -> None:
    text = _links("a-b").replace("links:", "  lonely: {kind: endpoint}\nlinks:")
    assert "\n  lonely\n" in graph.text(loaded(tmp_path, text)).split("\n\nkind")[0]


def test_the_planes_of_a_link_can_be_told_apart(tmp_path: Path) -> None:
    text = CHAIN.replace("classical: {latency: 2 ms}", "classical: none")
    drawing = graph.text(loaded(tmp_path, text))
    assert "alice === r1 ~~~ bob" in drawing
    assert "=== quantum and classical   ~~~ quantum" in drawing


def test_dot_quotes_names_and_closes(tmp_path: Path) -> None:
    lines = graph.dot(loaded(tmp_path)).splitlines()
    assert lines[0] == 'graph "chain" {' and lines[-1] == "}"
    assert '  "alice" [label="alice\\nendpoint"];' in lines
    edge = next(line for line in lines if '"r1" -- "bob"' in line)
    assert "style=bold" in edge and "50 km" in edge


def test_mermaid_needs_no_name_to_be_an_identifier(tmp_path: Path) -> None:
    lines = graph.mermaid(loaded(tmp_path)).splitlines()
    assert lines[0] == "graph LR"
    assert '  n0["alice<br/>endpoint"]' in lines
    assert any(line.startswith('  n0 ===|"25 km<br/>') and line.endswith("n1") for line in lines)


def test_json_says_what_the_text_says(tmp_path: Path) -> None:
    data = json.loads(graph.as_json(loaded(tmp_path)))
    assert [node["name"] for node in data["nodes"]] == ["alice", "r1", "bob"]
    first, second = data["links"]
    assert first["between"] == ["alice", "r1"]
    assert first["entangle"] == {"success": 0.01, "fidelity": 0.95, "attempt_ns": 1_000_000}
    assert second["entangle"] is None and second["latency_ns"] == 2_000_000
