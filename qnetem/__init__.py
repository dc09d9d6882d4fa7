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

    from . import closed_forms as closed_forms
    from .agents.agent import Agent as Agent
    from .agents.options.values import Nanoseconds as Nanoseconds
    from .agents.options.values import Seconds as Seconds
    from .agents.process.outside import Inside as Inside
    from .agents.secret import Secret as Secret
    from .agents.service import Service as Service
    from .agents.service import offered as offered
    from .api import run as run
    from .emulator.errors import OutsideError as OutsideError
    from .emulator.errors import QnetemError as QnetemError
    from .emulator.loading import Topology as Topology
    from .emulator.loading import load_topology as load_topology
    from .ended import Run as Run
    from .graph.picture import Picture as Picture
    from .graph.picture import picture as picture
    from .network import Network as Network
    from .network import launch as launch
    from .runs.events import Event as Event
    from .sweeps.sweep import sweep as sweep
    from .sweeps.table import Sweep as Sweep

    __version__: str

#: Public name -> the module it is in.
_HOME = {
    "Agent": ".agents.agent",
    "Event": ".runs.events",
    "Inside": ".agents.process.outside",
    "Nanoseconds": ".agents.options.values",
    "Network": ".network",
    "OutsideError": ".emulator.errors",
    "QnetemError": ".emulator.errors",
    "Picture": ".graph.picture",
    "Run": ".ended",
    "Seconds": ".agents.options.values",
    "Secret": ".agents.secret",
    "Service": ".agents.service",
    "Sweep": ".sweeps.table",
    "Topology": ".emulator.loading",
    "launch": ".network",
    "load_topology": ".emulator.loading",
    "offered": ".agents.service",
    "picture": ".graph.picture",
    "run": ".api",
    "sweep": ".sweeps.sweep",
}

__all__ = [
    "Agent",
    "Event",
    "Inside",
    "Nanoseconds",
    "Network",
    "OutsideError",
    "Picture",
    "QnetemError",
    "Run",
    "Seconds",
    "Secret",
    "Service",
    "Sweep",
    "Topology",
    "__version__",
    "closed_forms",
    "launch",
    "load_topology",
    "offered",
    "picture",
    "run",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name == "closed_forms":
        return import_module(".closed_forms", __name__)
    if name == "__version__":
        from .version import package_version

        return package_version()
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME, "__version__", "closed_forms"])
