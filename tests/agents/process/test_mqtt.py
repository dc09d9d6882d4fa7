"""The connection to the broker, without one: an error it does not know is reported, not swallowed."""

from __future__ import annotations

import asyncio
from typing import Any

from qnetem.agents.process.mqtt import Inbox
from qnetem.agents.process.settings import BrokerAddress

PATIENCE_S = 10.0


class Torn(Inbox):
    """Connects once, is lost at once, and then meets an error that is not foreseen."""

    attempts = 0

    async def _connect(self, timeout_s: float) -> None:
        self.attempts += 1
        if self.attempts > 1:
            raise RuntimeError("this is not foreseen")
        self.connected = True

    async def _until_lost(self) -> None:
        await asyncio.sleep(0)


async def test_a_line_that_can_not_be_kept_is_reported_to_the_process() -> None:
    loop = asyncio.get_running_loop()
    reported: asyncio.Future[Any] = loop.create_future()
    loop.set_exception_handler(lambda _, context: reported.set_result(context))
    inbox = Torn(
        BrokerAddress("127.0.0.1", 1), "run", "alice", "alice", lambda *_: None, lambda: None
    )
    await inbox.open()
    async with asyncio.timeout(PATIENCE_S):
        context = await reported
    assert "this is not foreseen" in str(context["exception"])
    # As an error of ours, which ends the process: a future's would only be noted.
    assert "future" not in context
    assert "task" not in context
