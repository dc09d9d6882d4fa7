"""Pictures of networks: where nodes stand, and what is drawn there."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

import qnetem
from qnetem.emulator.loading import Topology, build_topology
from qnetem.graph.layout import places
from qnetem.graph.svg import MOST_NODES, svg

from ..front_door import loaded


def network(*pairs: tuple[str, str]) -> Topology:
    nodes = dict.fromkeys(end for pair in pairs for end in pair)
    links = [{"between": list(pair), "quantum": {"length": "10 km"}} for pair in pairs]
    return build_topology({"name": "net", "nodes": dict.fromkeys(nodes), "links": links})


CHAIN = [(f"n{i}", f"n{i + 1}") for i in range(6)]
STAR = [("hub", f"user{i}") for i in range(6)]
RING = [(f"n{i}", f"n{(i + 1) % 8}") for i in range(8)]


def test_a_chain_is_a_straight_line_from_left_to_right() -> None:
    found = list(places([f"n{i}" for i in range(7)], CHAIN).values())
    assert found == [(pytest.approx(i, abs=1e-3), pytest.approx(0, abs=1e-3)) for i in range(7)]


@pytest.mark.parametrize("links", [STAR, RING], ids=["star", "ring"])
def test_linked_nodes_are_neighbours_and_no_two_stand_at_one_place(
    links: list[tuple[str, str]],
) -> None:
    names = list(dict.fromkeys(end for pair in links for end in pair))
    found = places(names, links)
    assert found == places(names, links)
    linked = [math.dist(found[one], found[other]) for one, other in links]
    assert max(linked) < 1.05 * min(linked)
    apart = [math.dist(found[a], found[b]) for i, a in enumerate(names) for b in names[:i]]
    assert min(apart) > 0.6


def test_parts_without_a_link_stand_one_below_the_other() -> None:
    found = places(["a", "b", "c", "d", "e"], [("a", "b"), ("c", "d")])
    assert found["a"][1] < found["c"][1] < found["e"][1]


def test_every_node_and_link_is_drawn_with_what_it_is(tmp_path: Path) -> None:
    topology = loaded(tmp_path)
    root = ElementTree.fromstring(svg(topology, {"bob": "lost"}))
    titles = [
        (node.text or "").splitlines()[0] for node in root.iter("{http://www.w3.org/2000/svg}title")
    ]
    assert titles == [*topology.links, *topology.nodes]
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:3] == ["alice", "r1", "bob (lost)"]


def test_names_are_within_the_frame() -> None:
    picture = svg(network(("a-node-with-quite-a-long-name", "b"), ("b", "c")))
    left, _, width, _ = map(float, re.findall(r'viewBox="([^"]+)"', picture)[0].split())
    x = float(re.findall(r'<text x="([-0-9.]+)"[^>]*>a-node', picture)[0])
    assert left < x - 80 and x + 80 < left + width


def test_a_picture_knows_the_page_s_text_and_no_id() -> None:
    picture = svg(network(*STAR))
    assert 'fill="currentColor"' in picture
    assert "id=" not in picture and "#000" not in picture and "#fff" not in picture


def test_too_many_nodes_are_said_and_not_drawn() -> None:
    picture = svg(network(*((f"n{i}", f"n{i + 1}") for i in range(MOST_NODES))))
    assert f"{MOST_NODES + 1} nodes: too many for a picture" in picture


def test_a_picture_can_be_saved(tmp_path: Path) -> None:
    picture = qnetem.picture({"name": "net", "nodes": {"a": None}})
    assert repr(picture) == "<Picture of 'net', 1 node>"
    file = picture.save(tmp_path / "net.svg")
    assert ElementTree.fromstring(file.read_text(encoding="utf-8")).tag.endswith("svg")
    assert "prefers-color-scheme:dark" in file.read_text(encoding="utf-8")
