"""Makes the modules of benchmarks/ importable, which are scripts and no package."""

from __future__ import annotations

import sys
from pathlib import Path

# At the end, so that none of their names stands before another's.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
