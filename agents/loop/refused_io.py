"""The half of asyncio's event loop interface that a virtual loop refuses: everything that does I/O.

Owns the refusals and their wording. Rule: each call is refused by its name, at the call, and says what a
program uses instead; none is silently ignored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ...emulator.errors import Refused

_TALK = "nodes talk with self.send() and self.receive()"
_OUTSIDE = "outside input enters through self.outside(), with `time: {mode: real}`"
_COMPUTE = "charge virtual time with self.compute(), and call the function directly"
_RUN = "the emulator runs this loop: await from run(), or start a task"


def _refused(name: str, instead: str) -> Callable[..., Any]:
    def refuse(self: object, *args: object, **kwargs: object) -> Any:
        raise Refused(f"loop.{name}() is not possible in virtual time: {instead}", call=name)

    refuse.__name__ = name
    return refuse


class WithoutIO(asyncio.AbstractEventLoop):
    """An event loop on which every I/O call raises `Refused`."""

    run_forever = _refused("run_forever", _RUN)
    run_until_complete = _refused("run_until_complete", _RUN)
    stop = _refused("stop", _RUN)

    run_in_executor = _refused("run_in_executor", _COMPUTE)  # type: ignore[assignment]
    set_default_executor = _refused("set_default_executor", _COMPUTE)
    shutdown_default_executor = _refused("shutdown_default_executor", _COMPUTE)

    create_connection = _refused("create_connection", _TALK)
    create_server = _refused("create_server", _OUTSIDE)
    create_unix_connection = _refused("create_unix_connection", _TALK)
    create_unix_server = _refused("create_unix_server", _OUTSIDE)
    create_datagram_endpoint = _refused("create_datagram_endpoint", _TALK)
    connect_accepted_socket = _refused("connect_accepted_socket", _OUTSIDE)
    start_tls = _refused("start_tls", _TALK)
    sendfile = _refused("sendfile", _TALK)
    getaddrinfo = _refused("getaddrinfo", _TALK)
    getnameinfo = _refused("getnameinfo", _TALK)

    sock_recv = _refused("sock_recv", _TALK)
    sock_recv_into = _refused("sock_recv_into", _TALK)
    sock_recvfrom = _refused("sock_recvfrom", _TALK)
    sock_recvfrom_into = _refused("sock_recvfrom_into", _TALK)
    sock_sendall = _refused("sock_sendall", _TALK)
    sock_sendto = _refused("sock_sendto", _TALK)
    sock_sendfile = _refused("sock_sendfile", _TALK)
    sock_connect = _refused("sock_connect", _TALK)
    sock_accept = _refused("sock_accept", _OUTSIDE)

    connect_read_pipe = _refused("connect_read_pipe", _OUTSIDE)
    connect_write_pipe = _refused("connect_write_pipe", _OUTSIDE)
    subprocess_exec = _refused("subprocess_exec", _OUTSIDE)
    subprocess_shell = _refused("subprocess_shell", _OUTSIDE)

    add_reader = _refused("add_reader", _OUTSIDE)  # type: ignore[assignment]
    remove_reader = _refused("remove_reader", _OUTSIDE)
    add_writer = _refused("add_writer", _OUTSIDE)  # type: ignore[assignment]
    remove_writer = _refused("remove_writer", _OUTSIDE)
    add_signal_handler = _refused("add_signal_handler", _OUTSIDE)  # type: ignore[assignment]
    remove_signal_handler = _refused("remove_signal_handler", _OUTSIDE)
