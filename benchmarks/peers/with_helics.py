"""HELICS (PyPI `helics`): federates are processes, each with a core of its own, and a broker over ZeroMQ.

Wall time, from entering execution, which all do together, to the last grant, of the slowest federate.
Nothing is random. Each federate is a Python program, as our nodes are; cores and broker are its C++. It has
no record, no digest and no programs in coroutines.

ring: each federate sends its neighbour 13 bytes from an endpoint and asks for the next virtual millisecond,
in which it takes what has come. Endpoints make every federate wait for every other.
lockstep: without messages. Each subscribes to a neighbour's publication and nothing is published, so that
it waits for that neighbour's time; ours waits for all. Two federates at least: one alone would wait for
itself.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from far_end import free_ports, serve

STEP_S = 1e-3
BODY = b'{"number": 1}'
#: How long a broker may take to be connected, and how many are tried, each at ports of its own.
CONNECT_S, TRIES = 10.0, 3


def _federate(number: int, nodes: int, rounds: int, case: str, port: int) -> None:
    """One federate: prints how long its rounds took, and how many messages came."""
    import helics as h

    info = h.helicsCreateFederateInfo()
    h.helicsFederateInfoSetCoreTypeFromString(info, "zmq")
    address = f"--broker_address=tcp://127.0.0.1 --brokerport={port}"
    h.helicsFederateInfoSetCoreInitString(info, f"--federates=1 {address} --loglevel=error")
    h.helicsFederateInfoSetTimeProperty(info, h.HELICS_PROPERTY_TIME_PERIOD, STEP_S)
    federate = h.helicsCreateCombinationFederate(f"n{number}", info)
    neighbour = (number + 1) % nodes
    endpoint = None
    if case == "ring":
        endpoint = h.helicsFederateRegisterGlobalEndpoint(federate, f"end{number}", "")
        h.helicsEndpointSetDefaultDestination(endpoint, f"end{neighbour}")
    else:
        kind = h.HELICS_DATA_TYPE_INT
        h.helicsFederateRegisterGlobalPublication(federate, f"value{number}", kind, "")
        h.helicsFederateRegisterSubscription(federate, f"value{neighbour}", "")
    h.helicsFederateEnterExecutingMode(federate)
    began, now_s, received = time.perf_counter(), 0.0, 0
    for _ in range(rounds):
        if endpoint is not None:
            h.helicsEndpointSendBytes(endpoint, BODY)
        now_s = h.helicsFederateRequestTime(federate, now_s + STEP_S)
        if endpoint is not None:
            received += _taken(h, endpoint)
    print(time.perf_counter() - began, received, flush=True)
    h.helicsFederateDisconnect(federate)
    h.helicsCloseLibrary()


def _taken(h: Any, endpoint: Any) -> int:
    """Take all messages that have come."""
    count = 0
    while h.helicsEndpointHasMessage(endpoint):
        h.helicsMessageGetBytes(h.helicsEndpointGetMessage(endpoint))
        count += 1
    return count


def _broker(h: Any, nodes: int) -> tuple[Any, int]:
    """A broker that is connected, and its port; it takes the next one, too.

    Another process may take a port between the look for it and its use: then another broker has another one.
    """
    for _ in range(TRIES):
        port = free_ports(2)
        options = f"-f {nodes} --localport={port} --loglevel=error"
        broker = h.helicsCreateBroker("zmq", "", options)
        deadline = time.monotonic() + CONNECT_S
        while time.monotonic() < deadline:
            if h.helicsBrokerIsConnected(broker):
                return broker, port
            time.sleep(0.02)  # noqa: TID251  # HELICS has no call that waits for it
        h.helicsBrokerFree(broker)
    raise SystemExit("the broker is not connected")


def _rounds(case: str, nodes: int, rounds: int) -> float:
    import helics as h

    broker, port = _broker(h, nodes)
    options = [str(nodes), str(rounds), case, str(port)]
    federates = [
        subprocess.Popen(
            [sys.executable, __file__, "federate", str(number), *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(nodes)
    ]
    reports = [federate.communicate()[0].split() for federate in federates]
    h.helicsBrokerWaitForDisconnect(broker, 5000)
    h.helicsCloseLibrary()
    if case == "ring" and {int(received) for _, received in reports} != {rounds}:
        raise SystemExit(f"messages received: {[received for _, received in reports]}")
    return rounds / max(float(took_s) for took_s, _ in reports)


def ring(nodes: int, rounds: int) -> float:
    """Rounds a second, with messages."""
    return _rounds("ring", nodes, rounds)


def lockstep(nodes: int, rounds: int) -> float:
    """Rounds a second, without."""
    return _rounds("lockstep", nodes, rounds)


if __name__ == "__main__":
    if sys.argv[1] == "federate":
        _federate(
            int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], int(sys.argv[6])
        )
    else:
        serve({"ring": ring, "lockstep": lockstep})
