"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import shutil
import signal
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

# Random examples are judged by what comes out, never by how long a busy machine took.
settings.register_profile(
    "unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")

# A shell starts jobs in the background with Ctrl-C ignored, and what the tests start would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# pytest-xdist tells its workers the terminal's width; what a test prints goes into a pipe, and is whole.
os.environ.pop("COLUMNS", None)

#: The property of a campaign's report: [family, network, statuses of its conversations].
CONFIRMED = "confirmed"


def require(present: bool, what: str, remedy: str) -> None:
    """Skip with the reason where a part is missing; where CI is set, every part must be there."""
    if present:
        return
    reason = f"{what} is not installed: {remedy}"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def mosquitto() -> str:
    """The path of mosquitto; a test that takes it needs a real one."""
    path = shutil.which("mosquitto")
    require(path is not None, "mosquitto", "apt install mosquitto")
    assert path is not None
    return path


@pytest.fixture
def amqtt() -> None:
    """A test that takes it needs the embedded broker."""
    require(importlib.util.find_spec("amqtt") is not None, "amqtt", "pip install qnetem[broker]")


@pytest.fixture(params=["mosquitto", "amqtt"])
def broker_kind(request: pytest.FixtureRequest) -> str:
    """Each kind of broker in turn, as `Broker(broker_kind, folder)` takes it."""
    kind: str = request.param
    request.getfixturevalue(kind)
    return kind


@pytest.fixture(scope="session")
def imported() -> None:
    """All that a run in one process needs: pytester drops what was imported in a pytest in this process."""
    for name in (
        "api",
        "network",
        "inprocess.cooperative",
        "inprocess.network",
        "text.error_output",
    ):
        importlib.import_module(f"qnetem.{name}")


def pytest_collection_finish() -> None:
    """What has been made so far lives to the end: no collection looks through it, and each kill is one."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many campaigns came to a confirmed end: where few do, little is proven."""
    statuses: dict[str, Counter[str]] = {}
    for report in terminalreporter.getreports("passed"):
        for family, network, told in (
            value for name, value in report.user_properties if name == CONFIRMED
        ):
            statuses.setdefault(f"{family} {network}", Counter()).update(told)
    if statuses:
        terminalreporter.section("campaigns: conversations, and how they ended")
    for name, found in statuses.items():
        kinds = ", ".join(f"{count} {status}" for status, count in found.most_common())
        terminalreporter.write_line(f"{name:24}{found.total():5}: {kinds}")
