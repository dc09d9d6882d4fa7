"""Which metric of a node a name stands for: a record, a probe's fidelity, or what the emulator counts.

Owns that no name stands for two of them. Rule: the second use is refused where the program makes it, so
that one metric never holds, hides or is read as the numbers of another.
"""

from __future__ import annotations

from ...emulator.errors import InputError
from ...emulator.wire import STATISTICS

#: Metrics of every node that the emulator keeps, after the node's name.
KEPT = {"expired": "qubits past their cut-off", "message_latency_s": "the latency of messages"}


class MetricNames:
    """The names that one node has used so far."""

    def __init__(self) -> None:
        self._uses = {name: f"{what}, which qnetem notes" for name, what in KEPT.items()}

    def record(self, name: str) -> None:
        """A number is recorded under this name. Raises InputError if the name stands for something else."""
        self._take(name, f"the record {name!r}")

    def probe(self, name: str) -> None:
        """A fidelity is noted under this name. Raises InputError as `record` does."""
        for ending in ("fidelity", "left_over"):
            self._take(f"{name}.{ending}", f"the probe {name!r}")

    def _take(self, name: str, use: str) -> None:
        before = self._uses.get(name)
        if before == use:
            return
        if before is not None:
            raise InputError(f"{use}: the metric {name!r} is {before}; choose another name")
        stem, _, word = name.rpartition(".")
        if word in STATISTICS and stem in self._uses:
            raise InputError(
                f"{use}: {name!r} is the {word} of {self._uses[stem]}; choose another name"
            )
        for word in STATISTICS:
            if f"{name}.{word}" in self._uses:
                other = self._uses[f"{name}.{word}"]
                raise InputError(f"{use}: its {word} would be {other}; choose another name")
        self._uses[name] = use
