"""QuTiP is imported by those who ask for its objects, and by nothing else."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from qnetem.emulator.states import qobj
from qnetem.emulator.states.qutip_import import qutip

#: Each kind of state and map that a run computes with, but no generator and no object of QuTiP's.
_COMPUTING = """
import sys
import numpy as np
from qnetem.emulator.devices.memory import MemoryDecay
from qnetem.emulator.heralding.timing import Timing
from qnetem.emulator.heralding.single_click import SingleClick
from qnetem.emulator.states import gates, noise, qobj
from qnetem.emulator.states.density_matrix import DensityMatrix
from qnetem.emulator.states.states import werner
pair = DensityMatrix.from_density(werner(0.9))
for name, qubits in gates.GATES.items():
    pair = pair.apply_map(gates.gate(name, 0.3), range(qubits))
for channel in (noise.depolarising(0.1), noise.dephasing(0.1), noise.amplitude_damping(0.1)):
    pair = pair.apply_map(channel, [0])
noise.from_kraus([np.eye(4)]), noise.from_superoperator(np.eye(4))
noise.collapse_generator([np.eye(2)], [1.0])
MemoryDecay(2e6, 1e6).map(5), MemoryDecay(2e6, 1e6).sample()
SingleClick(0.1, 0.1, 0.1, Timing(1, (1, 1), (1, 1))).attempts()
assert not qobj.is_qobj(werner(0.9))
heavy = {"qutip", "scipy", "setuptools", "matplotlib"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
pair.to_qobj()
print("qutip" in sys.modules)
"""


def test_a_run_computes_without_qutip_and_scipy_until_an_object_is_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _COMPUTING], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split("\n") == ["[]", "True", ""]


def test_an_operator_becomes_a_qobj_of_its_qubits_and_an_array_again() -> None:
    matrix = np.arange(16).reshape(4, 4) * (1 + 1j)
    made = qobj.operator(matrix)
    assert made.dims == [[2, 2], [2, 2]]
    assert np.array_equal(qobj.as_array(made), matrix)
    assert qobj.as_array(matrix) is matrix


def test_a_qobj_is_told_from_an_array_and_a_map_from_an_operator() -> None:
    assert qobj.is_qobj(qutip.sigmax())
    assert not qobj.is_qobj(np.eye(2))
    assert qobj.is_superoperator(qutip.to_super(qutip.sigmax()))
    assert not qobj.is_superoperator(qutip.sigmax())
