"""Ports on 127.0.0.1 for brokers that are started here.

Owns the choice of a port; whether the broker then gets it is decided by its own bind.

Rule: ports come from below the range from which the kernel takes the local ports of outgoing connections
(32768 and up on Linux, 49152 elsewhere). While a broker is down its clients connect to its port again and
again. If that port were in the kernel's range, such a connection could get the same number as its own local
port, connect to itself, and keep the broker from its port.
"""

from __future__ import annotations

import errno
import secrets
import socket

from ..emulator.errors import InfrastructureError

FIRST_PORT, LAST_PORT = 20_000, 31_999
LOOKS = 200


def is_free(port: int) -> bool:
    """Whether a server could bind `port` on 127.0.0.1 now.

    Raises InfrastructureError when that is forbidden rather than busy (a port below 1024).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        # As the brokers do: connections of the last server that are still closing do not count.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise InfrastructureError(
                f"port {port} cannot be used on 127.0.0.1: {error.strerror}"
            ) from error
    return True


def free_port() -> int:
    """A port that is free now. No run's result depends on it, so it is drawn from the system."""
    for _ in range(LOOKS):
        port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT + 1)
        if is_free(port):
            return port
    raise InfrastructureError(f"no free port between {FIRST_PORT} and {LAST_PORT}")
