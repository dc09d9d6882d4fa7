"""Cutting a byte stream into frames: four bytes of length, then that many bytes.

Owns the splitter that every shell uses (emulator, node, launcher, zygote). It knows nothing of what
is in a frame, and does no I/O. Together with wire.py it may be imported by a node's process.

Rule: a frame that claims to be longer than `MAX_FRAME` is refused when its header is read, before
any of its body is kept.
"""

from __future__ import annotations

from ..errors import InfrastructureError
from .messages import HEADER, MAX_FRAME

_HEADER_SIZE = HEADER.size
_unpack = HEADER.unpack_from


class FrameSplitter:
    """Bytes in, in any portions; whole frame bodies out, in order."""

    __slots__ = ("_buffer", "limit")

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self.limit = limit
        self._buffer = bytearray()

    @property
    def held(self) -> int:
        """Bytes of an unfinished frame kept so far."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that `data` completes. Raises InfrastructureError for a frame over the limit."""
        if not self._buffer and len(data) >= _HEADER_SIZE:
            # In lock-step nearly every read is exactly one frame: no copy into the buffer.
            (size,) = _unpack(data)
            if size == len(data) - _HEADER_SIZE and size <= self.limit:
                return [data[_HEADER_SIZE:]]
        self._buffer += data
        return self._cut()

    def _cut(self) -> list[bytes]:
        bodies: list[bytes] = []
        buffer, start = self._buffer, 0
        while len(buffer) - start >= _HEADER_SIZE:
            (size,) = _unpack(buffer, start)
            if size > self.limit:
                raise InfrastructureError(
                    f"a frame of {size} bytes was announced; the limit is {self.limit}"
                )
            end = start + _HEADER_SIZE + size
            if len(buffer) < end:
                break
            bodies.append(bytes(buffer[start + _HEADER_SIZE : end]))
            start = end
        del buffer[:start]
        return bodies
