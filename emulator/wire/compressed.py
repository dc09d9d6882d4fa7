"""Compressed files: gzip, appended to while a run lasts, and read back however they end.

Owns how such a file is written and read; what is in it comes from those who write it (the journal of a run,
the records of nodes). `zcat` reads it too.

Rules. What `append` has returned from is with the operating system, and can be read whatever becomes of the
process that wrote it. When the disk takes no more the file ends with what was appended before. A file that
its writer could not finish is read as far as it goes.

Many short portions lie in a tail first. It is a second file beside it, and mapped: to copy a portion there
asks nothing of the operating system, and compresses nothing. A tail that is full is compressed at once. It
begins with one number: the size of the compressed file to which it belongs, and how much is in the tail. The
number is written last, in one store. So a process may be killed at any moment: what is compressed beyond that
size is in the tail, too, and does not count.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import struct
import sys
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import InputError

#: What a gzip file begins with; no line of JSON does, and no record is so long.
_MAGIC = b"\x1f\x8b"
#: The fastest: a sixth of a journal is left, and little more by slower ones.
_LEVEL = 1
#: To zlib: with gzip's head and checksum.
_GZIP = 31
_READ_BYTES = 256 * 1024
#: A tail's number, in the order of this machine's bytes: only so it is one store. Its lower bits: the length.
_NUMBER, _LENGTH_BITS = struct.Struct("Q"), 24
#: So long is a tail from the start: no disk that becomes full refuses it later.
_TAIL_BYTES = 16 * 1024


class CompressedFile:
    """A file that is kept open, and one stream. Raises OSError when it cannot be opened or written."""

    def __init__(self, path: Path) -> None:
        self.file: BinaryIO = open(path, "wb", buffering=0, opener=_private)  # noqa: SIM115
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._size = 0

    @property
    def closed(self) -> bool:
        """Whether it takes nothing any more: closed, or given up."""
        return self.file.closed

    def append(self, data: bytes) -> None:
        """Write more of it."""
        compressor = self._compressor
        self._write(compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))

    def close(self) -> None:
        """Finish it; may be called again."""
        if not self.closed:
            self._write(self._compressor.flush())
            self.file.close()

    def _write(self, data: bytes) -> None:
        _write_whole(self.file, data, self._size)
        self._size += len(data)


class CompressedMembers:
    """A file that is opened for each portion: of thousands, none holds a descriptor or a compressor.

    `size`: of the file; `closed`: it takes nothing any more: closed, or given up.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = 0
        self.closed = False

    def append(self, data: bytes) -> None:
        """Write more of it: a whole gzip member."""
        member = zlib.compress(data, _LEVEL, _GZIP)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with open(_private(str(self._path), flags), "ab", buffering=0) as file:
            try:
                _write_whole(file, member, self.size)
            except OSError:
                self.closed = True
                raise
        self.size += len(member)

    def close(self) -> None:
        """Take nothing any more."""
        self.closed = True


class TailedFile:
    """A file for many short portions: they are gathered in its tail. Raises OSError as CompressedFile."""

    def __init__(self, path: Path) -> None:
        open(path, "wb", opener=_private).close()
        self._members = CompressedMembers(path)
        self._tail_path = _tail_path(path)
        self._tail = _mapped(self._tail_path)
        self._end = _NUMBER.size

    @property
    def closed(self) -> bool:
        """Whether it takes nothing any more: closed, or given up."""
        return self._members.closed

    def append(self, data: bytes) -> None:
        """Write more of it."""
        start, end = self._end, self._end + len(data)
        if end > _TAIL_BYTES:
            self._compress(data)
            return
        self._tail[start:end] = data
        self._end = end
        number = self._members.size << _LENGTH_BITS | end - _NUMBER.size
        _NUMBER.pack_into(self._tail, 0, number)

    def close(self) -> None:
        """Finish it; may be called again."""
        if not self.closed:
            self._compress(b"")
            self._members.close()
            self._tail.close()
            self._tail_path.unlink(missing_ok=True)

    def _compress(self, data: bytes) -> None:
        """The tail and these, as a member. On a full disk the tail stays as it is."""
        gathered = self._tail[_NUMBER.size : self._end] + data
        if gathered:
            self._members.append(gathered)
        self._end = _NUMBER.size
        _NUMBER.pack_into(self._tail, 0, self._members.size << _LENGTH_BITS)


def _write_whole(file: BinaryIO, data: bytes, size: int) -> None:
    """Append to a file of that size; one that is refused, or taken in part only, leaves it as it was."""
    taken = 0
    try:
        while taken < len(data):  # a disk that is nearly full takes a part, and refuses the rest
            taken += file.write(memoryview(data)[taken:])
    except OSError:
        with file, contextlib.suppress(OSError):  # a device has no length
            file.truncate(size)
        raise


def _tail_path(path: Path) -> Path:
    """Where the tail of a file lies: no name of a record or journal."""
    return path.with_name(f"{path.name.removesuffix('.bin.gz')}.tail")


def _mapped(path: Path) -> mmap.mmap:
    """A new tail, with nothing in it."""
    with open(path, "w+b", buffering=0, opener=_private) as file:
        try:
            _write_whole(file, bytes(_TAIL_BYTES), 0)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return mmap.mmap(file.fileno(), _TAIL_BYTES)


def _left_in_tail(path: Path) -> tuple[int, bytes] | None:
    """The tail of a file: how much of the file counts, and what comes after it. None: it has none."""
    try:
        with open(_tail_path(path), "rb", buffering=0) as file:
            while True:
                tail = file.read(_TAIL_BYTES)
                if len(tail) < _TAIL_BYTES:  # it has just been made
                    return 0, b""
                size, length = _counts(tail)
                # Its writer may be at work. What was read is of one state if no other tail has begun.
                file.seek(0)
                if _counts(file.read(_NUMBER.size))[0] == size:
                    return size, tail[_NUMBER.size : _NUMBER.size + length]
                file.seek(0)
    except FileNotFoundError:
        return None


def _counts(tail: bytes) -> tuple[int, int]:
    """How much of the compressed file counts, and how much of the tail."""
    number: int = _NUMBER.unpack_from(tail)[0]
    return divmod(number, 1 << _LENGTH_BITS)


def finish(path: Path) -> None:
    """Compress what is left in the tail of a file whose writer has been killed. Raises OSError."""
    tail = _left_in_tail(path)
    if tail is None:
        return
    size, data = tail
    with open(path, "r+b", buffering=0) as file:
        file.truncate(size)
        file.seek(size)
        if data:
            _write_whole(file, zlib.compress(data, _LEVEL, _GZIP), size)
    _tail_path(path).unlink(missing_ok=True)


class _Decompressed(io.RawIOBase):
    """What is in a compressed file, as far as it can be read. Raises InputError for what is no gzip.

    `size`: so much of the file counts; `tail`: what comes after it.
    """

    def __init__(self, path: Path, file: io.FileIO, size: int, tail: bytes) -> None:
        self._path, self._file, self._left, self._tail = path, file, size, tail
        self._decompressor = zlib.decompressobj(_GZIP)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        found = self._decompressed(len(buffer))
        if not found:
            found, self._tail = self._tail[: len(buffer)], self._tail[len(buffer) :]
        buffer[: len(found)] = found
        return len(found)

    def _decompressed(self, size: int) -> bytes:
        """At most so much more; nothing at its end."""
        while True:
            if self._decompressor.eof:  # another member may follow
                rest = self._decompressor.unused_data or self._read()
                if not rest:
                    return b""
                self._decompressor = zlib.decompressobj(_GZIP)
            else:
                rest = self._decompressor.unconsumed_tail or self._read()
            try:
                found = self._decompressor.decompress(rest, size)
            except zlib.error as error:
                raise InputError(f"{self._path} cannot be read: no whole gzip ({error})") from error
            if found or not rest:
                return found

    def _read(self) -> bytes:
        data = self._file.read(min(_READ_BYTES, self._left)) or b""
        self._left -= len(data)
        return data


def open_stream(path: Path) -> BinaryIO:
    """Read a file, decompressed if it is compressed. Raises OSError; reading it raises InputError, too."""
    size, rest = _left_in_tail(path) or (sys.maxsize, b"")
    file = open(path, "rb", buffering=0)  # noqa: SIM115
    if not rest and file.read(len(_MAGIC)) != _MAGIC:
        file.close()
        return open(path, "rb")
    file.seek(0)
    return io.BufferedReader(_Decompressed(path, file, size, rest), _READ_BYTES)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
