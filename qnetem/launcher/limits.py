"""What the system allows a run: open files and processes, looked at before anything is started.

Owns how many a run needs, and the errors that name the limit and what raises it. Where the soft limit of
files is too low and the hard one is not, it is raised: the broker inherits that, the emulator does it itself.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from ..emulator.errors import InfrastructureError

#: Beside a connection of each node, in the emulator as in the broker: logs, listeners, watchers, restarts.
SPARE_FILES = 64
#: A node is a process with a thread beside its first; and so many are launcher, zygote, emulator and broker.
TASKS_OF_A_NODE, SPARE_TASKS = 2, 16
#: Fewer nodes are not worth the look at every process of the user.
MANY_NODES = 100


def check_limits(nodes: int) -> None:
    """Raises InfrastructureError where the system's limits are too low for so many processes of nodes."""
    _allow_files(nodes)
    if nodes >= MANY_NODES:
        needed = TASKS_OF_A_NODE * nodes + SPARE_TASKS
        for name, free, remedy in _free_tasks():
            if free < needed:
                raise InfrastructureError(
                    f"{nodes:,} processes of nodes need {needed:,} processes and threads, and {name} leaves "
                    f"{max(free, 0):,}; {remedy}, or let nodes share processes (--workers K)"
                )


def _allow_files(nodes: int) -> None:
    needed = nodes + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _holds(soft, needed):
        return
    if not _holds(hard, needed):
        raise InfrastructureError(
            f"{nodes:,} processes of nodes need {needed:,} open files in one process, and the limit is "
            f"{hard:,}; raise it (`ulimit -Hn {needed}` as root), or let nodes share processes (--workers K)"
        )
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (OSError, ValueError) as error:
        raise InfrastructureError(
            f"{nodes:,} processes of nodes need {needed:,} open files in one process, and the limit of "
            f"{soft:,} cannot be raised: {error}"
        ) from error


def _holds(limit: int, needed: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= needed


def _free_tasks() -> Iterator[tuple[str, int, str]]:
    """Each limit of processes and threads: what it is called, how many it leaves, and what raises it."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if soft != resource.RLIM_INFINITY and os.geteuid() != 0:  # it is none for root
        yield f"`ulimit -u` ({soft:,})", soft - _tasks_of_user(), "raise it"
    for folder in _control_groups():
        with contextlib.suppress(OSError, ValueError):  # "max": no limit
            most = int((folder / "pids.max").read_text())
            used = int((folder / "pids.current").read_text())
            yield f"the control group {folder} ({most:,})", most - used, "raise its pids.max"


def _tasks_of_user() -> int:
    """The threads of all processes of this user, as RLIMIT_NPROC counts them (Linux; 0 elsewhere)."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            if process.stat().st_uid == os.geteuid():
                count += len(os.listdir(process / "task"))
    return count


def _control_groups() -> Iterator[Path]:
    """The control groups of this process that may count tasks, outermost last."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "pids"):
            root = Path("/sys/fs/cgroup", controllers)
            group = root / path.lstrip("/")
            yield from (each for each in (group, *group.parents) if each.is_relative_to(root))
