"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest


def require(present: bool, what: str, remedy: str) -> None:
    """Skip with the reason where a part is missing; where CI is set, every part must be there."""
    if present:
        return
    reason = f"{what} is not installed: {remedy}"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
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
