"""Facts of the machine, for the report."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .results import Machine

_DISTRIBUTIONS = ("qnetem", "numpy", "msgspec", "aiomqtt", "uvloop", "qutip", "stim")


def machine() -> Machine:
    """What it is measured on, now."""
    found = {name: _version(name) for name in _DISTRIBUTIONS if _version(name)}
    for name, command in {
        "mosquitto": ["mosquitto", "-h"],
        "commit": ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"],
    }.items():
        if words := _first_line(command):
            found[name] = words.removeprefix("mosquitto version ")
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        system=f"{platform.system()} {platform.release()}",
        scheduling=_scheduling(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions=found,
    )


def load() -> float:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def _version(name: str) -> str:
    """Of what is installed; nothing of what is not."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _scheduling() -> str:
    """`other`, or what `chrt` has made of it: what is measured then goes before other work."""
    names = {os.SCHED_FIFO: "fifo", os.SCHED_RR: "rr", os.SCHED_BATCH: "batch"}
    return names.get(os.sched_getscheduler(0), "other")


def _first_line(command: list[str]) -> str:
    """What a command says first; nothing if it is not there or fails."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return next(iter(done.stdout.splitlines()), "")
