"""The same operation in other simulators, each in an interpreter and a virtual environment of its own.

Owns the throw-away environments, the processes in them, and what is called there: public functions of the
peers, on one input that they and ours share. Run as a program it is the far end of such a process: a line
on standard input asks for a run, a line on standard output answers with operations a second of CPU time.

Rules: nothing of a peer is imported here, and nothing of ours there. A peer that cannot be installed is
said to be skipped, and why. What a peer lacks is said in the name of the case, and left out.
"""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

#: The Werner pairs that all begin with, and what happens to each of their halves.
FIDELITY, DEPOLARISING = 0.95, 0.01


def _fidelity_of(werner: float) -> float:
    return (1 + 3 * werner) / 4


_NOISY = (4 * FIDELITY - 1) / 3 * (1 - DEPOLARISING) ** 2
#: Fidelity of one pair with both halves depolarised; of two such pairs joined; of two fresh pairs joined.
EXPECTED_NOISY = _fidelity_of(_NOISY)
EXPECTED = _fidelity_of(_NOISY**2)
EXPECTED_JOINED = _fidelity_of(((4 * FIDELITY - 1) / 3) ** 2)

#: The distribution on PyPI -> the cases it serves.
DISTRIBUTIONS = {
    "qns": ("SimQN, mixed",),
    "sequence": (
        "SeQUeNCe, bell_diagonal (noise only)",
        "SeQUeNCe, density_matrix (joining only)",
    ),
}
_RUN_S = 0.2


@contextlib.contextmanager
def started(wanted: bool) -> Iterator[dict[str, Callable[[], float]]]:
    """The peers' cases by name, ready to be timed; none unless `wanted`. Gone without a trace afterwards."""
    cases: dict[str, Callable[[], float]] = {}
    with contextlib.ExitStack() as stack:
        for distribution, names in DISTRIBUTIONS.items() if wanted else ():
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="qnetem-peer-"))
            print(f"installing {distribution} into {folder} for this run", flush=True)
            try:
                python = installed(distribution, Path(folder))
                cases |= {name: stack.enter_context(_served(python, name)) for name in names}
            except RuntimeError as error:
                print(f"skipped: {', '.join(names)}: {error}", flush=True)
        yield cases


def installed(distribution: str, folder: Path) -> Path:
    """The interpreter of a new environment with the peer in it. Raises RuntimeError."""
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([sys.executable, "-m", "venv", str(folder)], [*install, distribution]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or ["no reason given"]
            raise RuntimeError(f"{distribution} cannot be installed: {lines[-1]}")
    return python


@contextlib.contextmanager
def _served(python: Path, name: str) -> Iterator[Callable[[], float]]:
    """A process that does one case of a peer, until it is left."""
    command = [str(python), "-P", __file__, name]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        try:
            if process.stdout.readline() != "ready\n":
                lines = process.stderr.read().strip().splitlines() or ["it ended without a word"]
                raise RuntimeError(f"it does not do what is asked of it: {lines[-1]}")
            yield lambda: _asked(process)
        finally:
            process.stdin.close()


def _asked(process: subprocess.Popen[str]) -> float:
    assert process.stdin and process.stdout
    process.stdin.write("run\n")
    process.stdin.flush()
    return float(process.stdout.readline())


# --- the far end ----------------------------------------------------------------------------------


def _simqn() -> tuple[Callable[[], float], float]:
    """Storage is SimQN's depolarising: (F - 1/4) exp(-rate t), once for each half."""
    from qns.models.epr import MixedStateEntanglement

    rate_hz = -math.log(1 - DEPOLARISING)

    def operation() -> float:
        pairs = [MixedStateEntanglement(FIDELITY), MixedStateEntanglement(FIDELITY)]
        for pair in pairs:
            pair.store_error_model(1.0, rate_hz)
            pair.store_error_model(1.0, rate_hz)
        return float(pairs[0].swapping(pairs[1]).fidelity)

    return operation, EXPECTED


def _sequence_noise() -> tuple[Callable[[], float], float]:
    """The decoherence of four memories that hold two pairs. Its Bell-diagonal states cannot be joined."""
    from sequence.components.memory import Memory
    from sequence.kernel.quantum_manager import QuantumManager
    from sequence.kernel.timeline import Timeline

    QuantumManager.set_global_manager_formalism("bell_diagonal")
    timeline = Timeline()
    timeline.time = 10**12 + 1  # ps: one second after the pairs were made
    coherence_s = -4 / 3 / math.log(1 - DEPOLARISING)
    options = {"fidelity": 1, "frequency": 0, "efficiency": 1, "wavelength": 1550}
    errors = [1 / 3, 1 / 3, 1 / 3]
    memories = [
        Memory(f"m{n}", timeline, coherence_time=coherence_s, decoherence_errors=errors, **options)
        for n in range(4)
    ]
    pairs = (memories[:2], memories[2:])
    weights = [FIDELITY] + 3 * [(1 - FIDELITY) / 3]

    def operation() -> float:
        for pair in pairs:
            timeline.quantum_manager.set([half.qstate_key for half in pair], weights)
            for half in pair:
                half.last_update_time = 1
                half.bds_decohere()
        return float(memories[0].get_bds_fidelity())

    return operation, EXPECTED_NOISY


def _sequence_joining() -> tuple[Callable[[], float], float]:
    """The swapping circuit on two pairs. Its density matrices know no noise.

    The pairs differ in their last digits, so that its cache of measurement results does not answer.
    """
    import numpy as np
    from sequence.components.circuit import Circuit
    from sequence.kernel.quantum_manager import QuantumManagerDensity

    manager = QuantumManagerDensity()
    circuit = Circuit(2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure(0)
    circuit.measure(1)
    bell = np.array([[1, 0, 0, 1]]).T / math.sqrt(2)
    ideal, rest = bell @ bell.T, (np.eye(4) - bell @ bell.T) / 3
    keys = [manager.new() for _ in range(4)]
    done = 0

    def operation() -> float:
        nonlocal done
        done += 1
        fidelity = FIDELITY + done * 1e-15
        for first in (0, 2):
            manager.set(keys[first : first + 2], fidelity * ideal + (1 - fidelity) * rest)
        manager.run_circuit(circuit, keys[1:3], 1e-9)  # outcomes 0, 0: no correction is owed
        if done > 1:
            return 0.0
        state = manager.get_ascending_keys(keys[0])
        tensor = np.asarray(state.state).reshape((2,) * 8)
        far = np.einsum("abcdebcf->adef", tensor).reshape(4, 4)
        return float(np.real(bell.T @ far @ bell).item())

    return operation, EXPECTED_JOINED


_CASES = {"SimQN, mixed": _simqn}
_CASES |= dict(zip(DISTRIBUTIONS["sequence"], (_sequence_noise, _sequence_joining), strict=True))


def _timed(operation: Callable[[], Any], count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        operation()
    return time.process_time() - began


def serve(name: str) -> None:
    """Be the far end: check the case, say so, and do a run for each line that comes."""
    operation, expected = _CASES[name]()
    found = operation()
    if abs(found - expected) > 1e-9:
        raise SystemExit(f"ends with a fidelity of {found}, not {expected}")
    count = 16
    while (took_s := _timed(operation, count)) < _RUN_S / 10:
        count *= 2
    count = max(1, int(count * _RUN_S / took_s))
    print("ready", flush=True)
    for _ in sys.stdin:
        print(count / _timed(operation, count), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
