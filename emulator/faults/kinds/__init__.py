"""The faults by name, one file each: its word, its parameters and limits, whom it fits, and its effect.

Owns collecting them: a fault is added by adding its file here. Does not own what a fault is (base.py).

Rule: the order is fixed. A campaign draws among all kinds in this order, so another order would be another
campaign from the same seed; the JSON Schema and errors list faults in it too.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ..base import Fault, FaultKind

#: Faults that are not named here come after these, by name.
_FIRST = (
    *("kill", "restart", "pause"),
    *(
        "cut",
        "partition",
        "loss",
        "delay",
        "jitter",
        "duplicate",
        "reorder",
        "corrupt",
        "bandwidth",
    ),
    *("loss_db", "misalignment", "dark_counts", "blind", "source_off", "decohere", "memory_reset"),
    *("lost_herald", "false_herald", "clouds", "eavesdrop", "clock_skew", "compromise"),
)


def _place(verb: str) -> tuple[int, str]:
    return (_FIRST.index(verb) if verb in _FIRST else len(_FIRST)), verb


def _collected() -> dict[str, type[Fault]]:
    """Verb -> class, from the file of that name."""
    found: dict[str, type[Fault]] = {}
    for verb in sorted((module.name for module in iter_modules(__path__)), key=_place):
        module = import_module(f"{__name__}.{verb}")
        (found[verb],) = (
            each
            for each in vars(module).values()
            if isinstance(each, type)
            and issubclass(each, Fault)
            and each.__module__ == module.__name__
        )
        assert found[verb].kind.verb == verb, "a fault's file is called after it"
    return found


FAULTS: dict[str, type[Fault]] = _collected()
FAULT_KINDS: dict[str, FaultKind] = {verb: fault.kind for verb, fault in FAULTS.items()}
