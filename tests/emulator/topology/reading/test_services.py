"""`services:` of nodes: layers merged by name, the order of their start, and what is refused where."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qnetem.emulator.loading import Topology, parse_topology

from ..topologies import refusal

LAYERS = """\
name: layers
defaults:
  services:
    ticker: {program: "./x.py:Ticker", with: {period: 10 ms, loud: true}}
    log: {program: "x:Log"}
kinds:
  repeater: {services: {ticker: {with: {period: 1 ms}}, keys: {program: "x:Keys", slots: 2}}}
nodes:
  alice: {services: {ticker: , log: {needs: [keys]}, keys: {program: "y:Keys"}}}
  r1: {kind: repeater}
  bob: {services: {log: null}}
"""


def test_layers_are_merged_by_name_and_nothing_takes_one_away(tmp_path: Path) -> None:
    topology = parse_topology(LAYERS, folder=tmp_path)
    nodes = topology.nodes
    assert sorted(nodes["alice"].services) == ["keys", "log"]
    assert sorted(nodes["r1"].services) == ["keys", "log", "ticker"]
    assert sorted(nodes["bob"].services) == ["ticker"]
    ticker = nodes["r1"].services["ticker"]
    assert ticker.options == {"period": "1 ms", "loud": True}
    assert ticker.program == f"{tmp_path}/x.py:Ticker"
    assert nodes["alice"].services["keys"].program == "y:Keys"
    assert nodes["r1"].own_slots == 14 and nodes["alice"].own_slots == 16


def test_a_topology_with_services_is_the_same_again_from_its_data(tmp_path: Path) -> None:
    topology = parse_topology(LAYERS, folder=tmp_path)
    again = Topology.from_data(topology.to_data())
    assert again.nodes == topology.nodes and again.to_data() == topology.to_data()


def test_services_are_started_in_the_order_of_needs_then_of_names() -> None:
    named = {"a": ["d"], "b": [], "c": ["b"], "d": ["c"]}
    entries = ", ".join(
        f'{name}: {{program: "x:X", needs: {needs}}}' for name, needs in named.items()
    )
    topology = parse_topology(f"name: order\nnodes: {{alice: {{services: {{{entries}}}}}}}\n")
    assert topology.nodes["alice"].services_in_order() == ["b", "c", "d", "a"]


@pytest.mark.parametrize(
    ("services", "problem"),
    [
        ("{a: {with: {x: 1}}}", "net.yaml:2:28: .*program"),
        ('{a: {program: "x:X", slot: 2}}', "unknown key 'slot'.*'slots'"),
        ('{a: {program: "x:X", slots: -1}}', "slots.*-1"),
        ('{a: {program: "x:X", slots: 17}}', "the memory has 16 slots: .*found 17 for 'a'"),
        ('{a: {program: "x:X", needs: [b]}}', "'a' needs 'b', which is no service of this node"),
        (
            '{a: {program: "x:X", needs: [b]}, b: {program: "x:X", needs: [a]}}',
            "these services need each other in a ring: a, b",
        ),
        ('{a.b: {program: "x:X"}}', "'a.b' cannot be a name"),
        ('{a: {program: "x"}}', "expected 'module:Class'"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place(services: str, problem: str) -> None:
    error = refusal(f"name: bad\nnodes: {{alice: {{services: {services}}}}}\n")
    assert (error.path, error.line) == ("net.yaml", 2)
    assert re.search(problem, str(error)), str(error)


def test_services_known_by_name_need_no_program_and_take_what_is_written() -> None:
    text = (
        "name: n\n"
        "defaults: {services: {link: , network: {with: {order: nested}}}}\n"
        "kinds: {repeater: {services: {network: {slots: 4, needs: [link]}}}}\n"
        "nodes:\n"
        "  alice: {program: x:A, services: {link: {}}}\n"
        "  bob: {program: x:B, services: {link: {}, network: {program: x:Own, needs: []}}}\n"
        "  r1: {kind: repeater, services: {link: {}}}\n"
        "  r2: {kind: repeater, services: {network: null}}\n"
    )
    nodes = parse_topology(text).nodes
    network = nodes["alice"].services["network"]
    assert network.program == "qnetem.agents.network.network_layer:Network"
    assert (network.needs, network.options) == (["link"], {"order": "nested"})
    assert nodes["alice"].services["link"].program == "qnetem.agents.network.link_layer:LinkLayer"
    assert nodes["bob"].services["network"].program == "x:Own"
    assert nodes["bob"].services["network"].needs == []
    assert nodes["r1"].services["network"].slots == 4
    # Where the network layer joins, a repeater's own program would take its halves.
    assert nodes["r1"].program.endswith(":Endpoint")
    assert nodes["r2"].program.endswith(":Repeater")
    assert nodes["r2"].services == {}
