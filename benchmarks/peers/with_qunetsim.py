"""QuNetSim (PyPI `qunetsim`): hosts are threads of one process that wait for each other in real time.

So its cases count wall time. Delays are set to 0, its engine is the default EQSN; that draws from numpy's
global generator, seeded with 1, but threads race, so no two runs need be alike. Links are ideal: no length,
no loss, no success probability. Both ends are driven by one thread here, and an acknowledgement is awaited
for each pair.

Its threads race for the engine, and now and then one of them ends with a KeyError: the run then fails, and is
tried again.

chain: `send_epr` between the ends of a row with entanglement swapping at each relay, both halves measured.
teleportation: `send_teleport`, which makes the pair it needs; the state is |0> and |1> in turn and is
measured.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from far_end import serve

_PATIENCE_S = 10


def chain(nodes: int, pairs: int) -> float:
    """Pairs a second between the ends of a row."""
    with _row(nodes) as hosts:
        first, last = hosts[0], hosts[-1]

        def pair(_: int) -> bool:
            name, _ = first.send_epr(last.host_id, await_ack=True)
            mine = first.get_epr(last.host_id, name, wait=_PATIENCE_S)
            theirs = last.get_epr(first.host_id, name, wait=_PATIENCE_S)
            return bool(mine.measure() == theirs.measure())

        return _rate(pair, pairs)


def teleportation(states: int) -> float:
    """States a second over one link."""
    from qunetsim.objects import Qubit

    with _row(2) as (alice, bob):

        def state(number: int) -> bool:
            qubit = Qubit(alice)
            if number % 2:
                qubit.X()
            alice.send_teleport(bob.host_id, qubit, await_ack=True)
            return bool(bob.get_qubit(alice.host_id, wait=_PATIENCE_S).measure() == number % 2)

        return _rate(state, states)


def _give_up(failed: threading.ExceptHookArgs) -> None:
    """End here: what waits for a thread that has failed would wait for ever."""
    print(f"a thread of its own failed: {failed.exc_value!r}", file=sys.stderr, flush=True)
    os._exit(1)


@contextmanager
def _row(nodes: int) -> Iterator[list[Any]]:
    import numpy as np
    from qunetsim.backends import EQSNBackend
    from qunetsim.components import Host, Network
    from qunetsim.objects import Logger

    threading.excepthook = _give_up
    Logger.DISABLED = True
    np.random.seed(1)  # noqa: NPY002, TID251  # the one it draws from
    names = [f"n{number}" for number in range(nodes)]
    network, engine = Network.get_instance(), EQSNBackend()
    network.delay = 0
    network.use_ent_swap = True
    network.start(names, engine)
    hosts = []
    for number, name in enumerate(names):
        host = Host(name, engine)
        host.delay = 0
        host.add_connections([*names[max(0, number - 1) : number], *names[number + 1 : number + 2]])
        host.start()
        network.add_host(host)
        hosts.append(host)
    try:
        yield hosts
    finally:
        network.stop(True)


def _rate(operation: Callable[[int], bool], count: int) -> float:
    began = time.perf_counter()
    wrong = sum(not operation(number) for number in range(count))
    rate = count / (time.perf_counter() - began)
    if wrong:
        raise SystemExit(f"{wrong} of {count} outcomes are wrong")
    return rate


if __name__ == "__main__":
    serve({"chain": chain, "teleportation": teleportation})
