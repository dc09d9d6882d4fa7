"""The networks of the benchmarks run, and do what is measured."""

from __future__ import annotations

import networks
import pytest

import qnetem


@pytest.mark.parametrize("nodes", [2, 3])
def test_in_a_ring_each_node_sends_and_receives_once_a_round(nodes: int) -> None:
    run = qnetem.run(networks.ring(nodes, 5), in_process=True, runs_folder=networks.folder())
    run.assert_ok()
    for name in run.outcome.nodes:
        sent = [event for event in run.events() if (event.entity, event.kind) == (name, "sent")]
        assert len(sent) == 5


def test_as_many_states_are_teleported_as_are_counted() -> None:
    run = qnetem.run(networks.teleportation(3), in_process=True, runs_folder=networks.folder())
    run.assert_ok()
    assert run.results["alice"]["teleported"] == run.results["bob"]["received"] == 3


def test_a_run_by_cpu_time_takes_some() -> None:
    few = {f"nodes.{name}.with.pairs": 1 for name in ("alice", "bob")}
    assert networks.cpu_seconds(networks.chain(3, 2, layer=False), few) > 0


def test_a_run_that_goes_wrong_is_no_figure() -> None:
    topology = networks.crowd(1, "Missing", {})
    with pytest.raises(RuntimeError, match=r"missing-1\.yaml: exit code 2"):
        networks.run(topology, "--in-process")
    with pytest.raises(RuntimeError, match=r"missing-1\.yaml:"):
        networks.cpu_seconds(topology, {})
