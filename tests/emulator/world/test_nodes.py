"""Which incarnation of a node is alive, and what it knows at its start."""

from __future__ import annotations

from qnetem.emulator.kernel.streams import entropy
from qnetem.emulator.world.nodes import Nodes

from ... import harness
from ...harness import heralding, idle, link, node


def nodes() -> Nodes:
    nodes = {"bob": idle, "alice": idle, "hub": node("hub", idle, service=True, slots=3)}
    links = [link("hub", "alice", 7, entangle=heralding(), length_km=1.0), link("hub", "bob", None,
             length_km=2.0)]  # fmt: skip
    return Nodes(harness.network(nodes, links, seed=9), [])


def test_nodes_stand_in_the_order_of_their_names() -> None:
    assert list(nodes().statuses) == ["alice", "bob", "hub"]


def test_only_a_running_node_takes_messages_and_only_in_its_present_incarnation() -> None:
    found = nodes()
    alice = found["alice"]
    taken = {}
    for state in ("starting", "running", "finished", "failed", "killed", "lost"):
        alice.state, alice.incarnation = state, 2
        taken[state] = found.receiver("alice")
    assert taken == {**dict.fromkeys(taken), "running": 2}
    assert found.receiver("stranger") is None


def test_a_node_that_will_be_granted_again_listens() -> None:
    found = nodes()
    listening = {}
    for state in ("starting", "running", "finished", "failed", "killed", "lost"):
        found["alice"].state = state
        listening[state] = found.listens("alice")
    assert [state for state, listens in listening.items() if listens] == ["starting", "running"]
    assert not found.listens("stranger")


def test_the_run_waits_for_programs_and_not_for_services() -> None:
    found = nodes()
    assert [status.name for status in found.unfinished()] == ["alice", "bob"]
    found["alice"].state, found["bob"].state = "finished", "killed"
    assert found.unfinished() == []
    found["hub"].state = "running"
    assert [status.name for status in found.services()] == ["hub"]


def test_the_run_is_busy_exactly_while_a_node_is_unfinished() -> None:
    found = nodes()
    busy = []
    for name, state in [
        ("hub", "running"), ("alice", "running"), ("alice", "finished"), ("bob", "killed"),
        ("bob", "starting"), ("bob", "running"), ("bob", "failed"), ("alice", "starting"),
    ]:  # fmt: skip
        found[name].state = state
        assert found.busy() == bool(found.unfinished())
        busy.append(found.busy())
    assert busy == [True, True, True, False, True, True, False, True]


def test_a_welcome_tells_what_a_node_knows_of_its_surroundings() -> None:
    found = nodes()
    welcome = found.welcome(found["hub"], 9, 1234)
    assert (welcome.name, welcome.incarnation, welcome.t_ns) == ("hub", 1, 1234)
    assert (welcome.service, welcome.slots) == (True, 3)
    assert welcome.nodes == ["alice", "bob", "hub"]
    assert [each.name for each in welcome.links] == ["hub-alice", "hub-bob"]
    first, second = welcome.links
    assert (first.peer, first.entangle, first.quantum, first.latency_ns) == ("alice", True, True, 7)
    assert (second.entangle, second.quantum, second.delay_ns > 9000) == (False, True, True)


def test_a_nodes_generator_depends_on_seed_name_and_incarnation_only() -> None:
    found = nodes()
    assert found.welcome(found["alice"], 9, 0).entropy == entropy(9, "node", "alice", 1)
    found["alice"].incarnation = 2
    words = {
        tuple(found.welcome(found["alice"], 9, 0).entropy),
        tuple(found.welcome(found["alice"], 8, 0).entropy),
        tuple(found.welcome(found["bob"], 9, 0).entropy),
        tuple(entropy(9, "node", "alice", 1)),
    }
    assert len(words) == 4
