"""Topology texts that the tests share."""

from __future__ import annotations

from qnetem.emulator.errors import TopologyError
from qnetem.emulator.loading import Topology, parse_topology

METRO = """\
name: metro
seed: 7
time: {mode: virtual, until: 60 s}
defaults: {memory: {t2: 1 s, slots: 8}}
nodes:
  alice: {kind: endpoint, program: "qnetem.agents.protocols.qkd.bb84:Sender", with: {pulses: 1_000}}
  r1:    {kind: repeater}
  bob:   {kind: endpoint, program: "./my_protocol.py:Bob"}
links:
  - {between: [alice, r1], quantum: {medium: fibre, length: 40 km, attenuation: 0.2 dB/km}}
  - {between: [r1, bob], quantum: {entangle: {success: 0.01, fidelity: 95 %, attempt: 1 ms}}}
faults:
  - {at: 2 s, for: 500 ms, cut: alice-r1}
  - {at: 4 s, kill: r1, restart: 250 ms}
expect: {bob.qber: "< 0.11"}
"""

TWO_NODES = """\
name: two
nodes: {alice: , bob: }
"""


def linked(link: str, more: str = "") -> Topology:
    """Alice and Bob joined by one link, given as the rest of its flow mapping."""
    return parse_topology(f"{TWO_NODES}links: [{{between: [alice, bob], {link}}}]\n{more}")


def refusal(text: str) -> TopologyError:
    """The error that a text meets."""
    try:
        topology = parse_topology(text, "net.yaml")
    except TopologyError as error:
        return error
    raise AssertionError(f"was accepted: {topology}")
