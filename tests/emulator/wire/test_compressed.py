"""Compressed files: what is read back, however the file ends."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from pathlib import Path

import pytest

from qnetem.emulator.errors import InputError
from qnetem.emulator.wire.compressed import (
    CompressedFile,
    CompressedMembers,
    TailedFile,
    finish,
    open_stream,
)
from tests.harness import content

PORTIONS = [f"line {number} of a file\n".encode() * 9 for number in range(40)]
#: So many that a tail is filled several times, and not to its last byte.
MANY = [random.Random(number).randbytes(number % 700) for number in range(200)]
UNTAILED = pytest.mark.parametrize("kind", [CompressedFile, CompressedMembers])
ALL = pytest.mark.parametrize("kind", [CompressedFile, CompressedMembers, TailedFile])


def written(path: Path, kind: type[CompressedFile | CompressedMembers | TailedFile]) -> list[int]:
    """The sizes of the file after each portion."""
    file, sizes = kind(path), []
    for portion in PORTIONS:
        file.append(portion)
        sizes.append(path.stat().st_size)
    file.close()
    return sizes


@ALL
def test_any_tool_reads_it(tmp_path: Path, kind: type[CompressedFile]) -> None:
    written(tmp_path / "a.gz", kind)
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == b"".join(PORTIONS)
    assert content(tmp_path / "a.gz") == b"".join(PORTIONS)


@UNTAILED
def test_what_was_appended_is_read_though_the_file_was_never_finished(
    tmp_path: Path, kind: type[CompressedFile]
) -> None:
    path = tmp_path / "a.gz"
    sizes = written(path, kind)
    whole, all_of_it = path.read_bytes(), b"".join(PORTIONS)
    for number, size in enumerate(sizes):
        path.write_bytes(whole[:size])
        assert content(path) == b"".join(PORTIONS[: number + 1])
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        assert all_of_it.startswith(content(path)) or size < 2


def test_each_portion_is_read_while_the_file_is_written_and_after_its_writer_was_killed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.bin.gz"
    file, appended = TailedFile(path), b""
    for portion in MANY:
        file.append(portion)
        appended += portion
        assert content(path) == appended
    finish(path)  # with the file and its tail as they are
    assert gzip.decompress(path.read_bytes()) == appended == content(path)
    assert [each.name for each in tmp_path.iterdir()] == ["a.bin.gz"]
    finish(path)
    assert content(path) == appended


def test_a_writer_that_is_killed_while_it_compresses_its_tail_loses_nothing(tmp_path: Path) -> None:
    path, tail = tmp_path / "a.bin.gz", tmp_path / "a.tail"
    file = TailedFile(path)
    for portion in MANY:
        before = path.read_bytes(), tail.read_bytes(), content(path)
        file.append(portion)
        member = path.read_bytes()[len(before[0]) :]
        for size in range(0, len(member), 977):
            path.write_bytes(before[0] + member[:size])
            tail.write_bytes(before[1])
            assert content(path) == before[2]
            finish(path)
            assert gzip.decompress(path.read_bytes() or gzip.compress(b"")) == before[2]
        if member:
            break
    assert member, "no tail was filled"


def test_a_tail_has_its_room_from_the_start_and_none_is_left_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = TailedFile(tmp_path / "a.bin.gz")
    assert (tmp_path / "a.tail").stat().st_blocks * 512 >= 16_000
    file.close()
    monkeypatch.setattr("qnetem.emulator.wire.compressed._write_whole", refuse)
    with pytest.raises(OSError, match="full"):
        TailedFile(tmp_path / "b.bin.gz")
    assert not (tmp_path / "b.tail").exists()


def refuse(*_: object) -> None:
    raise OSError("full")


def test_a_file_that_is_not_compressed_is_read_as_it_is(tmp_path: Path) -> None:
    for data in (b"", b"[", b"[1,2]\n" * 9):
        (tmp_path / "plain.gz").write_bytes(data)
        assert content(tmp_path / "plain.gz") == data


def test_a_changed_byte_is_refused_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    written(path, CompressedFile)
    whole = bytearray(path.read_bytes())
    whole[-6] ^= 1  # of the checksum
    path.write_bytes(whole)
    with pytest.raises(InputError, match=r"a\.gz cannot be read: no whole gzip"):
        content(path)


def test_reading_holds_a_portion_of_a_long_file(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    file = CompressedFile(path)
    for _ in range(64):
        file.append(bytes(1_000_000))
    file.close()
    assert path.stat().st_size < 500_000
    tracemalloc.start()
    try:
        with open_stream(path) as stream:
            total = sum(len(data) for data in iter(lambda: stream.read(100_000), b""))
        assert (total, tracemalloc.get_traced_memory()[1] < 3_000_000) == (64_000_000, True)
    finally:
        tracemalloc.stop()
