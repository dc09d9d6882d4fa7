"""Peers: other simulators from PyPI, each in a virtual environment and in processes of its own.

Owns the environments and what runs in them. An environment is made when a benchmark first asks for its
peer, by uv where it is installed and otherwise by venv and pip, and is removed at the end unless it is to
be kept. A run of a peer is one process, `benchmarks/peers/with_PEER.py CASE OPTIONS`: options and value are
JSON, the value is the last line that it prints.

Rules: nothing of a peer is imported here, and nothing of ours there. A peer that cannot be installed, or
does not do what is asked of it, is named with the reason, and the rest is measured.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

FAR_ENDS = Path(__file__).resolve().parents[1] / "peers"
INSTALL_S, RUN_S = 1200.0, 240.0
#: As for our own processes: arithmetic on one core.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class PeerFailed(RuntimeError):
    """A peer cannot be installed or does not do what is asked of it."""


class Peer(NamedTuple):
    """Its name on PyPI, and the script of benchmarks/peers that is run with it."""

    distribution: str
    script: str
    #: How often a run is tried, where it may fail by accident.
    tries: int = 1


PEERS = {
    "SeQUeNCe": Peer("sequence", "with_sequence.py"),
    "SimQN": Peer("qns", "with_simqn.py"),
    "SimulaQron": Peer("simulaqron", "with_simulaqron.py"),
    "QuNetSim": Peer("qunetsim", "with_qunetsim.py", tries=5),
    "HELICS": Peer("helics", "with_helics.py"),
    "mosaik": Peer("mosaik", "with_mosaik.py"),
}


class Peers:
    """The peers of one run of the suite; to be entered, and left so that nothing of them stays behind."""

    def __init__(
        self, *, wanted: bool = False, keep: Path | None = None, python: str = sys.executable
    ) -> None:
        self._wanted, self._keep, self._python = wanted, keep, python
        self._interpreters: dict[str, Path] = {}
        self._stack = ExitStack()
        #: By name: the version of each that was used, and why others were not.
        self.versions: dict[str, str] = {}
        self.skipped: dict[str, str] = {}

    def __enter__(self) -> Peers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def cases(self, case: str, *names: str) -> dict[str, Callable[..., float]]:
        """The case of those peers that can be had, by their names; it takes the case's options."""
        return {name: _bound(self, name, case) for name in names if self.has(name)}

    def growing(
        self, case: str, *names: str, options: Callable[[int], dict[str, Any]]
    ) -> dict[str, Callable[[int], float]]:
        """The same with the options of each size."""

        def sized(run: Callable[..., float]) -> Callable[[int], float]:
            return lambda size: run(**options(size))

        return {name: sized(run) for name, run in self.cases(case, *names).items()}

    def has(self, name: str) -> bool:
        """Whether the peer can be used; installs it at the first call."""
        if not self._wanted or name in self.skipped:
            return False
        if name not in self._interpreters:
            try:
                self._interpreters[name] = python = self._installed(PEERS[name].distribution)
                self.versions[name] = _version(python, PEERS[name].distribution)
            except PeerFailed as error:
                self._interpreters.pop(name, None)
                self.skipped[name] = str(error)
                print(f"skipped: {name}: {error}", flush=True)
        return name in self._interpreters

    def run(self, name: str, case: str, **options: object) -> float:
        """One run of a case in a process of its own. Raises PeerFailed after its last try."""
        for _ in range(PEERS[name].tries - 1):
            with suppress(PeerFailed):
                return self._run(name, case, options)
        return self._run(name, case, options)

    def _run(self, name: str, case: str, options: dict[str, object]) -> float:
        far_end = str(FAR_ENDS / PEERS[name].script)
        words = [str(self._interpreters[name]), far_end, case, json.dumps(options)]
        with tempfile.TemporaryDirectory(prefix="qnetem-peer-run-") as folder:
            output = _output(words, f"{name}, {case}", Path(folder), RUN_S)
        try:
            return float(output.splitlines()[-1])
        except (IndexError, ValueError) as error:
            raise PeerFailed(f"{name}, {case}: it printed no value, but {output!r}") from error

    def _installed(self, distribution: str) -> Path:
        """The interpreter of an environment with the peer in it. Raises PeerFailed."""
        if self._keep is None:
            made = tempfile.TemporaryDirectory(prefix="qnetem-peer-", ignore_cleanup_errors=True)
            folder = Path(self._stack.enter_context(made))
        else:
            folder = self._keep.resolve() / distribution
        done = folder / "installed"
        if not done.exists():
            print(f"installing {distribution} into {folder}", flush=True)
            folder.mkdir(parents=True, exist_ok=True)
            _install(self._python, distribution, folder)
            done.touch()
        return folder / "bin" / "python"


def _bound(peers: Peers, name: str, case: str) -> Callable[..., float]:
    return lambda **options: peers.run(name, case, **options)


def _install(python: str, distribution: str, folder: Path) -> None:
    """By the first tool that manages. Raises PeerFailed with what the last one said."""
    inside = str(folder / "bin" / "python")
    ways = [
        [
            [python, "-m", "venv", "--clear", str(folder)],
            [
                inside,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                distribution,
            ],
        ]
    ]
    if uv := shutil.which("uv"):
        quiet = [uv, "--quiet", "--no-python-downloads"]
        make = [*quiet, "venv", "--clear", "--python", python, str(folder)]
        ways.insert(0, [make, [*quiet, "pip", "install", "--python", inside, distribution]])
    for number, commands in enumerate(ways, 1):
        try:
            for command in commands:
                _output(command, f"{distribution} cannot be installed", folder, INSTALL_S)
        except PeerFailed:
            if number == len(ways):
                raise
        else:
            return


def _version(python: Path, distribution: str) -> str:
    question = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    return _output([str(python), "-c", question], distribution, python.parent, RUN_S).strip()


def _output(command: list[str], what: str, folder: Path, limit_s: float) -> str:
    """What a command prints; all that it has started ends with it. Raises PeerFailed."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment | _ONE_THREAD,
            start_new_session=True,
        )
    except OSError as error:
        raise PeerFailed(f"{what}: {error}") from error
    with process:
        try:
            output, errors = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired as error:
            raise PeerFailed(f"{what}: not done within {limit_s:g} s") from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        lines = errors.strip().splitlines() or output.strip().splitlines() or ["no reason given"]
        raise PeerFailed(f"{what}: {lines[-1]}")
    return output
