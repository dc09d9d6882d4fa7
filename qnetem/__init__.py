"""qnetem: netem for quantum networks.

    from qnetem import Agent

    class Alice(Agent):
        async def run(self):
            pair = await self.entangle("bob")
            return {"bit": await pair.measure("X")}

`qnetem.run("metro.yaml")` runs a topology to its end; `async with qnetem.launch("metro.yaml") as network`
lets a program do other things meanwhile. Names are imported at their first use: a node's process
that needs only `Agent` loads neither the topology's validation nor the physics.
"""

from __future__ import annotations

from importlib import import_module

# Not `typing`'s: with `python -m qnetem` the working directory is still on the path here (__main__.py).
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .agents.agent import Agent as Agent
    from .agents.options.values import Seconds as Seconds
    from .agents.process.outside import Inside as Inside
    from .agents.secret import Secret as Secret
    from .agents.service import Service as Service
    from .agents.service import offered as offered
    from .api import Run as Run
    from .api import run as run
    from .emulator.errors import OutsideError as OutsideError
    from .emulator.errors import QnetemError as QnetemError
    from .emulator.loading import Topology as Topology
    from .emulator.loading import load_topology as load_topology
    from .network import Network as Network
    from .network import launch as launch
    from .runs.events import Event as Event

#: Public name -> the module it is in.
_HOME = {
    "Agent": ".agents.agent",
    "Event": ".runs.events",
    "Inside": ".agents.process.outside",
    "Network": ".network",
    "OutsideError": ".emulator.errors",
    "QnetemError": ".emulator.errors",
    "Run": ".api",
    "Seconds": ".agents.options.values",
    "Secret": ".agents.secret",
    "Service": ".agents.service",
    "Topology": ".emulator.loading",
    "launch": ".network",
    "load_topology": ".emulator.loading",
    "offered": ".agents.service",
    "run": ".api",
}

__all__ = [
    "Agent",
    "Event",
    "Inside",
    "Network",
    "OutsideError",
    "QnetemError",
    "Run",
    "Seconds",
    "Secret",
    "Service",
    "Topology",
    "launch",
    "load_topology",
    "offered",
    "run",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
