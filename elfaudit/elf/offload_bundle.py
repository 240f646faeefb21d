"""The bundles in which clang packs device code for HIP, plain and compressed.

Source: ``ClangOffloadBundler.rst`` of LLVM: ``__CLANG_OFFLOAD_BUNDLE__`` with a table of entries,
or ``CCOB`` with a whole bundle compressed by zlib or zstd behind it.
"""

from __future__ import annotations

import io
import struct
import zlib

from .cuda_fatbin import DeviceImages
from .pages import page_end
from .walk import Asked, Walk

__all__ = ["BUNDLE", "COMPRESSED", "compressed_bundle", "plain_bundle"]

BUNDLE, COMPRESSED = b"__CLANG_OFFLOAD_BUNDLE__", b"CCOB"
_MOST_TARGETS = 10_000
_LONGEST_ID = 500
_HEAD = 64 << 10  # of a decompressed bundle: its table of some tens of targets is at the start
_MOST_COMPRESSED = 192 << 10  # of a compressed one: a block of zstd, which is 128 KB at the most
_WINDOW = 1 << 27  # the largest that a frame of zstd may ask for


class _DamagedError(Exception):
    """A table that is none, for the reason given; ``at`` is how far it was followed."""

    def __init__(self, reason: str, at: int = 0) -> None:
        super().__init__(reason)
        self.at = at


def plain_bundle(at: int, size: int) -> Walk[DeviceImages]:
    """The table of a bundle.

    Args:
        at: where the bundle begins.
        size: of the file.
    """
    try:
        targets, end = yield from _table(at, size)
    except _DamagedError as problem:
        return DeviceImages(at, problem.at, (), str(problem))
    return DeviceImages(at, end, tuple(targets))


def _table(at: int, size: int) -> Walk[tuple[dict[str, None], int]]:
    """The targets, and where the last piece of code ends."""
    targets: dict[str, None] = {}
    position = end = at + 32
    (count,) = struct.unpack("<Q", (yield from _exactly(at + 24, 8)))
    if count > _MOST_TARGETS:
        raise _DamagedError(f"a bundle of {count:,} entries", position)
    for _ in range(count):
        offset, length, of_id = struct.unpack("<QQQ", (yield from _exactly(position, 24)))
        if of_id > _LONGEST_ID or at + offset + length > size:
            raise _DamagedError("a bundle that reaches past the end of the file", position)
        _add_target(targets, (yield from _exactly(position + 24, of_id)))
        position += 24 + of_id
        end = max(end, position, at + offset + length)
    return targets, end


def _exactly(start: int, size: int) -> Walk[bytes]:
    data = (yield Asked(start, size, size)) if size else b""
    if len(data) < size:
        raise _DamagedError("a bundle that reaches past the end of the file", start)
    return data


def _add_target(targets: dict[str, None], identity: bytes) -> None:
    """What is behind kind and triple: ``hipv4-amdgcn-amd-amdhsa--gfx90a:xnack-``.

    The triple has four parts, of which the last is mostly empty or ``unknown``; of older
    compilers three.
    """
    kind, *triple = identity.decode("utf-8", "replace").split("-", 5)
    target = triple[min(len(triple), 5) - 1] if triple else ""
    if target and not kind.startswith("host"):
        targets[target] = None


def compressed_bundle(at: int, size: int) -> Walk[DeviceImages]:
    """A compressed bundle; of version 1 nobody knows where it ends.

    Args:
        at: where it begins.
        size: of the file.
    """
    raw = yield Asked(at, 32, 32)
    raw = raw.ljust(32, b"\0")
    version, method = struct.unpack_from("<HH", raw, 4)
    if version == 1:
        end, start = size, at + 20
    elif version == 2:
        end, start = at + struct.unpack_from("<I", raw, 8)[0], at + 24
    elif version == 3:
        end, start = at + struct.unpack_from("<Q", raw, 8)[0], at + 32
    else:
        return DeviceImages(
            at, at + 8, (), f"a compressed bundle of version {version}, which is not known"
        )
    if not start < end <= size:
        return DeviceImages(
            at, at + 8, (), "a compressed bundle that reaches past the end of the file"
        )
    length = min(end - start, _MOST_COMPRESSED)
    data = yield Asked(start, length, length)
    behind = page_end(start) if version == 1 else end
    try:
        return DeviceImages(at, behind, _targets_of(_decompressed(method, data)))
    except _DamagedError as problem:
        return DeviceImages(at, behind, (), str(problem))


def _targets_of(head: bytes) -> tuple[str, ...]:
    """The targets in the table of a bundle in memory."""
    if not head.startswith(BUNDLE) or len(head) < 32:
        raise _DamagedError("a compressed bundle with something else in it")
    targets: dict[str, None] = {}
    (count,) = struct.unpack_from("<Q", head, 24)
    position = 32
    for _ in range(min(count, _MOST_TARGETS)):
        if position + 24 > len(head):
            raise _DamagedError("a compressed bundle whose table is longer than is looked at")
        (length,) = struct.unpack_from("<Q", head, position + 16)
        if length > _LONGEST_ID or position + 24 + length > len(head):
            raise _DamagedError("a compressed bundle whose table is damaged")
        _add_target(targets, head[position + 24 : position + 24 + length])
        position += 24 + length
    return tuple(targets)


def _decompressed(method: int, data: bytes) -> bytes:
    """The beginning of what is compressed; never more, however much it would be."""
    try:
        if method == 0:
            return zlib.decompressobj().decompress(data, _HEAD)
        if method == 1:
            return _unzstd(data)
    except ImportError as error:
        raise _DamagedError(
            "a bundle compressed with zstd: pip install 'elfaudit[gpu]' to look into it"
        ) from error
    except (zlib.error, ValueError) as error:
        raise _DamagedError(f"a compressed bundle that is damaged: {error}") from error
    raise _DamagedError(f"a bundle compressed with method {method}, which is not known")


def _unzstd(data: bytes) -> bytes:
    """The same of zstd.

    Raises:
        ImportError: there is no decompressor.
        ValueError: it is damaged.
    """
    import zstandard  # noqa: PLC0415  an extra

    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    head = b""
    with decompressor.stream_reader(io.BytesIO(data)) as reader:
        while len(head) < _HEAD:
            try:
                more = reader.read(_HEAD - len(head))
            except zstandard.ZstdError as error:
                if head:  # what follows the frame is something else
                    break
                raise ValueError(str(error)) from error
            if not more:
                break
            head += more
    return head
