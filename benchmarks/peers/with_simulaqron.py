"""SimulaQron (PyPI `simulaqron`, CPython 3.10 to 3.12): each node is a program and two servers, over TCP.

So its case counts wall time, from one program's first state to its last, start and end of processes left
out. It has no virtual time, no noise and no seed: outcomes are drawn anew in each run. Its engine here is
the stabilizer one, which needs no further package; it looks for pairs every 10 ms instead of every 100.

teleportation: NetQASM programs make a pair, measure in the Bell basis, send the two bits over their
classical socket, correct, measure, and acknowledge; the state is |0> and |1> in turn.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from pathlib import Path

from far_end import free_ports, serve

_PATIENCE_S = 120


def _alice(states: int) -> float:
    """The sender; how long it took."""
    from netqasm.sdk import EPRSocket, Qubit
    from simulaqron.sdk.connection import SimulaQronConnection
    from simulaqron.sdk.socket import Socket

    messages, pairs = Socket("Alice", "Bob", socket_id=0), EPRSocket("Bob")
    with SimulaQronConnection("Alice", epr_sockets=[pairs]) as connection:
        began = time.perf_counter()
        for number in range(states):
            qubit = Qubit(connection)
            if number % 2:
                qubit.X()
            half = pairs.create_keep()[0]
            qubit.cnot(half)
            qubit.H()
            outcomes = qubit.measure(), half.measure()
            connection.flush()
            messages.send("".join(str(int(outcome)) for outcome in outcomes))
            messages.recv()
        return time.perf_counter() - began


def _bob(states: int) -> int:
    """The receiver; how many states were right."""
    from netqasm.sdk import EPRSocket
    from simulaqron.sdk.connection import SimulaQronConnection
    from simulaqron.sdk.socket import Socket

    messages, pairs = Socket("Bob", "Alice", socket_id=0), EPRSocket("Alice")
    right = 0
    with SimulaQronConnection("Bob", epr_sockets=[pairs]) as connection:
        for number in range(states):
            half = pairs.recv_keep()[0]
            connection.flush()
            z, x = messages.recv()
            if x == "1":
                half.X()
            if z == "1":
                half.Z()
            outcome = half.measure()
            connection.flush()
            right += int(outcome) == number % 2
            messages.send("done")
    return right


def teleportation(states: int) -> float:
    """States a second over one link."""
    from simulaqron.network import Network
    from simulaqron.settings import network_config, simulaqron_settings
    from simulaqron.settings.simulaqron_config import SimBackend

    simulaqron_settings.sim_backend = SimBackend.STABILIZER
    simulaqron_settings.recv_retry_time = 0.01
    names = ["Alice", "Bob"]
    sockets = ("app_socket", "qnodeos_socket", "vnode_socket")
    nodes = [{name: {each: ["127.0.0.1", free_ports()] for each in sockets}} for name in names]
    path = Path("network.json").resolve()
    path.write_text(json.dumps([{"name": "default", "nodes": nodes, "topology": None}]), "utf-8")
    network_config.read_from_file(path)
    network = Network(nodes=names, network_config_file=path, network_name="default")
    network.start(wait_until_running=True)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        took = pool.apply_async(_alice, (states,))
        right = pool.apply_async(_bob, (states,)).get(_PATIENCE_S)
        took_s = took.get(_PATIENCE_S)
    network.stop()
    if right != states:
        raise SystemExit(f"{right} of {states} states were right")
    return states / took_s


if __name__ == "__main__":
    serve({"teleportation": teleportation})
