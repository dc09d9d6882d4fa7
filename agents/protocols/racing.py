"""Racing: wait for whatever of several things comes first.

Owns `first_of` alone. Rule: when it returns, or is cancelled, none of them is still under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def first_of(*coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run them side by side until one is done, and cancel the others.

    Returns the results in their order, None for what was cancelled; raises what one of them raised.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return [task.result() if task in done else None for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
