"""The environment of the processes of a run, in which only fixed values and a few of the user's stand.

Owns which variables those are. Rule: what could change a result is the same in every run, whatever the user's
shell says, except for the second run of `--twice`, where it is different on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..emulator.fixed_environment import FIXED_ENVIRONMENT
from .entry import PATH_VARIABLE

#: What must not change a result, made different for the second run of `--twice` (cli/twice.py). This hash
#: seed gives most sets of two short words another order than 0 does; the allocator gives other addresses.
OTHERWISE = {"PYTHONHASHSEED": "296", "PYTHONMALLOC": "malloc"}
#: With any value, in the launcher's environment: `OTHERWISE` counts.
OTHERWISE_VARIABLE = "QNETEM_OTHERWISE"
#: What a program may need of its user's environment; anything else would be an unrecorded input.
KEPT = (
    "PATH", "HOME", "TMPDIR", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX",
    "LD_LIBRARY_PATH", "QNETEM_SILENT_S", PATH_VARIABLE,
)  # fmt: skip


def environment(outer: Mapping[str, str]) -> dict[str, str]:
    """The environment of zygote and emulator, from the launcher's own."""
    return {name: outer[name] for name in KEPT if name in outer} | fixed(outer)


def fixed(outer: Mapping[str, str]) -> dict[str, str]:
    """The part of it that does not come from the user's environment."""
    is_other = outer.get(OTHERWISE_VARIABLE)
    return FIXED_ENVIRONMENT | OTHERWISE if is_other else FIXED_ENVIRONMENT
