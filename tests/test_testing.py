"""docs/testing.md keeps its word: its example is a test that passes, outside of this repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PAGE = Path(__file__).parent.parent / "docs" / "testing.md"
PYTHON = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


#: pytest-asyncio warns where it is not said.
QUIET = ("-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function")


@pytest.fixture
def project(pytester: pytest.Pytester, imported: None) -> pytest.Pytester:
    """The page's files in a folder of their own."""
    for block in PYTHON:
        name = re.match(r"# (\w+\.py)\n", block)
        if name is not None:
            (pytester.path / name[1]).write_text(block, encoding="utf-8")
    return pytester


def test_the_example_has_ten_lines() -> None:
    (test,) = [block for block in PYTHON if block.startswith("# test_coin.py\n")]
    lines = [line for line in test.splitlines() if line and not line.startswith("#")]
    assert 0 < len(lines) <= 10


@pytest.mark.processes
@pytest.mark.parametrize("options", [[], ["--qnetem-processes"], ["-n", "2"]])
def test_the_example_passes_in_a_project_of_its_own(
    options: list[str], project: pytest.Pytester
) -> None:
    project.runpytest_subprocess("-p", "no:cacheprovider", *options).assert_outcomes(passed=1)


def test_the_example_would_notice_a_link_too_noisy(project: pytest.Pytester) -> None:
    test = project.path / "test_coin.py"
    text = test.read_text(encoding="utf-8")
    test.write_text(text.replace('"fidelity": 0.95', '"fidelity": 0.5'), encoding="utf-8")
    result = project.runpytest_inprocess(*QUIET)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*expected bob.qber < 0.11, measured 0.* (off by *)"])


def test_the_example_would_notice_that_nothing_broke(project: pytest.Pytester) -> None:
    test = project.path / "test_coin.py"
    text = test.read_text(encoding="utf-8")
    test.write_text(text.replace('"faults": FAULTS', '"faults": []'), encoding="utf-8")
    result = project.runpytest_inprocess(*QUIET)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*expected event 1 of 3, faults begin"])
