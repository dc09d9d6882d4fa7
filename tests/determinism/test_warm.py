"""A process in which other runs have been gives every shipped topology the digest of a fresh one."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..counts import FULL, count
from .fresh import digest

ROOT = Path(__file__).parents[2]
ALL = [str(path) for path in sorted((ROOT / "topologies").glob("**/*.yaml"))]
#: All in a campaign, else some of each folder.
FILES = ALL if os.environ.get(FULL) else ALL[::5]
#: To their ends in a campaign; else as long as the cheap ones take, and most faults to strike.
UNTIL = "" if os.environ.get(FULL) else "400 ms"


@pytest.fixture(scope="module")
def fresh() -> dict[str, str]:
    """Digests by file."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.determinism.fresh", UNTIL, *FILES]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    found: dict[str, str] = json.loads(ended.stdout)
    return found


@pytest.mark.campaign
@settings(
    max_examples=count(10), deadline=None, suppress_health_check=list(HealthCheck), database=None
)
@given(st.integers(0, 1 << 32))
def test_whatever_ran_before_the_digest_is_that_of_a_fresh_process(
    fresh: dict[str, str], number: int
) -> None:
    order = FILES[:]
    random.Random(number).shuffle(order)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warm = {file: digest(file, UNTIL or None) for file in order}
    assert warm == fresh


def test_there_are_some() -> None:
    assert len(ALL) > 30
