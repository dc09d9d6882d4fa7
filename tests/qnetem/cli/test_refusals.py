"""What physics forbids is refused before anything runs, with the reason and its place in the file.

How large a joint state becomes is known only once a program has entangled its qubits: that is refused at
the operation, which changes nothing, and says which formalism carries more.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ..trouble import Told, typed, typed_here

GOOD = """\
name: lab
nodes:
  alice:
    program: "./programs.py:Ghz"
    with: {qubits: 3}
    memory: {slots: 20, t1: 10 ms, t2: 5 ms}
  bob:
    detector: {efficiency: 0.2}
links:
  - between: [alice, bob]
    quantum:
      length: 5 km
      noise: "./programs.py:channel"
"""

PROGRAMS = """
import math
import qutip
from qnetem import Agent


class Ghz(Agent):
    async def run(self, qubits: int) -> int:
        held = [await self.qubit() for _ in range(qubits)]
        await held[0].h()
        for left, right in zip(held, held[1:]):
            await left.cx(right)
        return qubits


def channel(**_):
    return [math.sqrt(0.9) * qutip.qeye(2), math.sqrt(0.1) * qutip.sigmax()]


def gains(**_):
    return [1.1 * qutip.sigmax()]


def not_positive(**_):
    transposed = qutip.Qobj([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    transposed.dims = qutip.to_super(qutip.qeye(2)).dims
    transposed.superrep = "super"
    return transposed
"""

FORBIDDEN = {
    "an efficiency of 1.2": (
        "efficiency: 0.2", "efficiency: 1.2",
        "8:28: nodes.bob.detector.efficiency: expected a probability (from 0 to 1), found 1.2",
    ),
    "a negative length": (
        "length: 5 km", "length: -5 km",
        "12:15: links[0].quantum.length: expected a length such as 25 km (from 0 to 1e+09 km), found '-5 km'",
    ),
    "T2 beyond 2 T1": (
        "t2: 5 ms", "t2: 21 ms",
        ("6:40: nodes.alice.memory.t2: T2 cannot exceed 2 T1, as relaxation itself destroys coherence: "
        "expected at most 20 ms, found 21 ms"),
    ),
    "noise that keeps no trace": (
        ":channel", ":gains",
        ("13:14: links.alice-bob.quantum: noise {folder}/programs.py:gains: not a channel: not trace "
        "preserving (off by 0.21)"),
    ),
    "noise that is not completely positive": (
        ":channel", ":not_positive",
        ("13:14: links.alice-bob.quantum: noise {folder}/programs.py:not_positive: not a channel: not "
        "completely positive (Choi matrix has the eigenvalue -1)"),
    ),
}  # fmt: skip


def lab(folder: Path, old: str = "", new: str = "") -> Path:
    (folder / "programs.py").write_text(PROGRAMS)
    assert old in GOOD
    file = folder / "lab.yaml"
    file.write_text(GOOD.replace(old, new, 1))
    return file


@pytest.mark.parametrize("what", list(FORBIDDEN))
def test_what_physics_forbids_is_refused_before_anything_runs(tmp_path: Path, what: str) -> None:
    old, new, reason = FORBIDDEN[what]
    lab(tmp_path, old, new)
    for word in ("validate", "run"):
        told = typed_here(tmp_path, word, "lab.yaml")
        assert (told.code, told.stdout) == (2, "")
        assert told.stderr == f"error: lab.yaml:{reason.format(folder=tmp_path)}\n"
    assert not (tmp_path / "runs").exists()


@pytest.mark.processes
def test_a_refusal_ends_the_command_and_all_that_it_started_early(
    tmp_path: Path, mosquitto: str
) -> None:
    old, new, reason = FORBIDDEN["T2 beyond 2 T1"]
    lab(tmp_path, old, new)
    told = typed(tmp_path, "run", "lab.yaml")
    assert (told.code, told.stdout) == (2, "")
    assert told.stderr == f"error: lab.yaml:{reason}\n"
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("formalism", "qubits", "reason"),
    [
        (
            "density_matrix",
            11,
            (
                "11 qubits would be jointly entangled, and this formalism carries 10: measure or discard "
                "some first (density_matrix carries 10, stabilizer 1024 under Clifford gates and Pauli noise)"
            ),
        ),
        (
            "bell_diagonal",
            5,
            (
                "5 qubits would be jointly entangled; formalism: bell_diagonal carries 4, auto carries 10, "
                "stabilizer 1024"
            ),
        ),
    ],
)
def test_a_register_beyond_its_limit_names_the_formalism_that_carries_it(
    tmp_path: Path, formalism: str, qubits: int, reason: str
) -> None:
    file = lab(tmp_path, "t1: 10 ms, ", "")
    text = file.read_text().replace("name: lab", f"name: lab\nformalism: {formalism}")

    def run(qubits: int) -> Told:
        file.write_text(text.replace("qubits: 3", f"qubits: {qubits}"))
        return typed_here(tmp_path, "run", "--in-process", file)

    assert run(qubits - 1).code == 0
    told = run(qubits)
    assert told.code == 1
    error = next(line for line in told.stderr.splitlines() if line.startswith("error: "))
    assert error.endswith(f": {reason}")
    text = text.replace(formalism, "stabilizer")
    assert run(qubits).code == 0
