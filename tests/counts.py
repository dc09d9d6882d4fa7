"""How often a test that repeats something at random does so: in full, or a tenth as often.

`make campaign` asks for the full counts (and sets FULL), `make test` for a tenth. A test that takes part is
marked `campaign`. Rule: what is drawn for number n does not depend on how many there are, so that what a
campaign has found can be repeated alone.
"""

from __future__ import annotations

import os

FULL = "QNETEM_FULL"


def count(full: int) -> int:
    """`full` in a campaign, else a tenth of it, and one at least."""
    return full if os.environ.get(FULL) else max(1, full // 10)
