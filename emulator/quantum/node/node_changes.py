"""What may change about a node's devices while it runs.

Owns the list of such changes and how two of them add up. Does not own what devices do with them (sessions.py,
trains.py, disturbed_memory.py) nor when they begin and end (faults/).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeChanges:
    """What is different from what the topology says; by default nothing.

    `dark_count_rate_hz`: more dark counts of each of its detectors, while the gate is open. `blind`: they see
    nothing and count nothing. `source_off`: its source emits vacuum. `dephasing_hz`: more decoherence of its
    memory, 1/T2 of coherence per second.
    """

    dark_count_rate_hz: float = 0.0
    blind: bool = False
    source_off: bool = False
    dephasing_hz: float = 0.0

    def beside(self, other: NodeChanges) -> NodeChanges:
        """Both at once: rates add."""
        return NodeChanges(
            self.dark_count_rate_hz + other.dark_count_rate_hz,
            self.blind or other.blind,
            self.source_off or other.source_off,
            self.dephasing_hz + other.dephasing_hz,
        )

    @property
    def on_detectors(self) -> bool:
        """Whether its detectors count anything else for it."""
        return self.blind or self.dark_count_rate_hz > 0


SOUND = NodeChanges()
