"""The topology reference is true: what it shows is accepted, word for word."""

from __future__ import annotations

import re
from pathlib import Path

from qnetem.emulator.topology import parse_topology

PAGE = Path(__file__).parent.parent / "docs" / "topology.md"


def test_the_topology_reference_is_one_valid_topology() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    head, nodes, links, faults, expect = blocks
    nodes += "  r1: {kind: repeater}\n  bob: {}\n"
    links = links.replace("name: backbone ", "name: alice-r1 ")
    links += "  - {between: [r1, bob], quantum: {length: 1 km}}\n"
    topology = parse_topology("".join([head, nodes, links, faults, expect]))
    assert topology.nodes["alice"].gates.two_ns == 10_000
    assert topology.links["alice-r1"].quantum is not None
    assert [fault.verb for fault in topology.faults] == ["cut", "kill", "loss", "delay"]
    assert list(topology.expect) == ["bob.qber", "bob.teleported.fidelity"]
