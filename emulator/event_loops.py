"""The ordinary event loop under the shells of emulator and nodes: uvloop's where it is installed.

Owns the choice; without uvloop it is asyncio's. No result depends on it: virtual time has a loop of its own
(agents/loop), and the order in which sockets are served is seen by nothing.
"""

from __future__ import annotations

import asyncio

try:
    import uvloop
except ImportError:
    new_event_loop = asyncio.new_event_loop
else:
    new_event_loop = uvloop.new_event_loop
