"""The one place that imports QuTiP.

Owns the import and nothing else. QuTiP defines the physics: gates, noise and states are built as QuTiP
objects and compiled (see pauli.py). Rule: only the emulator's process gets here; a node never does.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # Plotting is no business of the emulator; its absence should not be the first line of every log.
    warnings.filterwarnings("ignore", message="matplotlib not found")
    import qutip

__all__ = ["qutip"]
