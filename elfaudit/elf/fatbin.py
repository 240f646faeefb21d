"""Which GPUs the device code in a file is compiled for.

Source: ``ClangOffloadBundler.rst`` of LLVM for ``.hip_fatbin`` (bundles, and compressed ones,
CCOB); for ``.nv_fatbin`` the layout that decoders of the CUDA container have published, as NVIDIA
documents none. Only headers are read, and of a compressed bundle its beginning; a gigabyte of
device code costs no more memory than a kilobyte.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import ElfFormatError
from ..stream import ByteStream
from .header import read_header
from .reader import Reader
from .sections import find_sections

__all__ = ["GpuTargets", "gpu_targets"]

_HIP_SECTION, _CUDA_SECTIONS = ".hip_fatbin", (".nv_fatbin", "__nv_relfatbin")
_BUNDLE, _COMPRESSED = b"__CLANG_OFFLOAD_BUNDLE__", b"CCOB"
_MAGICS = (_BUNDLE, _COMPRESSED)
_ANY_MAGIC = re.compile(b"|".join(map(re.escape, _MAGICS)))
_PAGE = 4096  # bundles of several translation units begin at pages
_WINDOW = 1 << 20
_MOST_TARGETS, _MOST_BUNDLES, _MOST_SENTENCES = 10_000, 200_000, 20
_LONGEST_ID = 500
_HEAD = 64 << 10  # of a decompressed bundle: its table of some tens of targets is at the start
_CUDA_MAGIC = 0xBA55ED50
_CUDA_HEADER, _CUDA_ENTRY = struct.Struct("<IHHQ"), struct.Struct("<HHIQIIHHI")
_PTX, _CUBIN = 1, 2


@dataclass(frozen=True, slots=True)
class GpuTargets:
    """What the device code in a file is compiled for.

    Attributes:
        hip: target ids, ``gfx90a:xnack-``; sorted, each once.
        cuda: ``sm_90`` for machine code, ``compute_90`` for PTX; likewise. A suffix (``sm_90a``)
            is not told.
        unknown: what could not be read and why, one sentence each.
        bundles: how many bundles and containers there are.
    """

    hip: tuple[str, ...]
    cuda: tuple[str, ...]
    unknown: tuple[str, ...]
    bundles: int


def gpu_targets(stream: ByteStream, name: str) -> GpuTargets:
    """The targets of one ELF file.

    Args:
        stream: the file.
        name: how to name it in messages.

    Raises:
        ElfFormatError: its header or its section headers contradict the specification.
        SourceError: it cannot be read.
    """
    reader = Reader(stream, name)
    sections = find_sections(reader, read_header(reader))
    scan = _Scan(reader)
    if _HIP_SECTION in sections:
        scan.hip(sections[_HIP_SECTION])
    for section in _CUDA_SECTIONS:
        if section in sections:
            scan.cuda(sections[section])
    if not sections:
        scan.unknown.append(f"{name}: has no section headers: device code is not looked for")
    return GpuTargets(
        tuple(sorted(scan.hip_targets)),
        tuple(sorted(scan.cuda_targets)),
        tuple(scan.unknown[:_MOST_SENTENCES]),
        scan.bundles,
    )


class _Scan:
    """The way through the device code of one file, from its start to its end."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.hip_targets: set[str] = set()
        self.cuda_targets: set[str] = set()
        self.unknown: list[str] = []
        self.bundles = 0

    def hip(self, place: range) -> None:
        """The bundles of ``.hip_fatbin``, one behind the other with padding between."""
        position = place.start
        while self.bundles < _MOST_BUNDLES:
            at = self._next(position, place.stop)
            if at is None:
                return
            self.bundles += 1
            try:
                compressed = self._reader.read(at, 4, _HIP_SECTION) == _COMPRESSED
                end = self._compressed(at, place.stop) if compressed else self._bundle(at, place)
            except (ElfFormatError, struct.error) as error:
                self._doubt(at, str(error))
                end = at + 4
            position = max(end, at + 4)
        self._doubt(position, "there are more bundles than in any real file")

    def _next(self, position: int, end: int) -> int | None:
        """Where the next bundle begins: where the last one ends, or at a page behind it."""
        for at in (position, -(-position // _PAGE) * _PAGE):
            if at + 4 <= end and self._reader.read_available(at, 24).startswith(_MAGICS):
                return at
        while position < end:
            window = self._reader.read_available(position, min(_WINDOW, end - position))
            for match in _ANY_MAGIC.finditer(window):
                if (position + match.start()) % _PAGE == 0:
                    return position + match.start()
            position += max(len(window) - len(_BUNDLE), 1) if len(window) == _WINDOW else _WINDOW
        return None

    def _bundle(self, at: int, place: range) -> int:
        """The table of a bundle; returns where the last piece of device code ends."""
        if at + 32 > place.stop:
            raise ElfFormatError(self._reader.name, at, "bundle", "has no table")
        (count,) = struct.unpack("<Q", self._reader.read(at + 24, 8, "bundle entries"))
        if count > _MOST_TARGETS:
            raise ElfFormatError(self._reader.name, at + 24, "bundle entries", f"{count} of them")
        position, end = at + 32, at + 32
        for _ in range(count):
            raw = self._reader.read(position, 24, "bundle entry")
            offset, size, length = struct.unpack("<QQQ", raw)
            if length > _LONGEST_ID or at + offset + size > place.stop:
                raise ElfFormatError(
                    self._reader.name, position, "bundle entry", "reaches past the device code"
                )
            identity = self._reader.read(position + 24, length, "bundle entry ID")
            self._target(identity)
            position += 24 + length
            end = max(end, position, at + offset + size)
        return end

    def _target(self, identity: bytes) -> None:
        """``hipv4-amdgcn-amd-amdhsa--gfx90a:xnack-``: what is behind the triple."""
        text = identity.decode("utf-8", "replace")
        kind, _, rest = text.partition("-")
        if not kind.startswith("host"):
            target = rest.partition("--")[2] or rest.rpartition("-")[2]
            self.hip_targets.add(target[:_LONGEST_ID])

    def _compressed(self, at: int, stop: int) -> int:
        """A compressed bundle; returns where it ends, or might."""
        raw = self._reader.read_available(at, 32)
        version, method = struct.unpack_from("<HH", raw, 4)
        if version == 1:
            size, start = None, 20
        elif version == 2:
            size, start = struct.unpack_from("<I", raw, 8)[0], 24
        elif version == 3:
            size, start = struct.unpack_from("<Q", raw, 8)[0], 32
        else:
            self._doubt(at, f"a compressed bundle of version {version}, which is not known")
            return at + 8
        end = stop if size is None else at + size
        if not start < end - at or end > stop:
            self._doubt(at, "a compressed bundle that reaches past the device code")
            return at + 8
        data = self._reader.read_available(at + start, min(end - at - start, _WINDOW))
        head = self._decompressed(at, method, data)
        if head is not None:
            self._table(at, head)
        return at + start if size is None else end

    def _decompressed(self, at: int, method: int, data: bytes) -> bytes | None:
        try:
            if method == 0:
                return zlib.decompressobj().decompress(data, _HEAD)
            if method == 1:
                return _unzstd(data)
        except ImportError:
            self._doubt(
                at, "a bundle compressed with zstd: pip install 'elfaudit[gpu]' to look into it"
            )
            return None
        except (zlib.error, ValueError) as error:
            self._doubt(at, f"a compressed bundle that is damaged: {error}")
            return None
        self._doubt(at, f"a bundle compressed with method {method}, which is not known")
        return None

    def _table(self, at: int, head: bytes) -> None:
        """The table of a bundle in memory."""
        if not head.startswith(_BUNDLE) or len(head) < 32:
            self._doubt(at, "a compressed bundle with something else in it")
            return
        (count,) = struct.unpack_from("<Q", head, 24)
        position = 32
        for _ in range(min(count, _MOST_TARGETS)):
            if position + 24 > len(head):
                self._doubt(at, "a compressed bundle whose table is longer than is looked at")
                return
            length = struct.unpack_from("<Q", head, position + 16)[0]
            if length > _LONGEST_ID or position + 24 + length > len(head):
                self._doubt(at, "a compressed bundle whose table is damaged")
                return
            self._target(head[position + 24 : position + 24 + length])
            position += 24 + length

    def cuda(self, place: range) -> None:
        """The containers of ``.nv_fatbin``, one behind the other at multiples of eight."""
        position = place.start
        while position + _CUDA_HEADER.size <= place.stop and self.bundles < _MOST_BUNDLES:
            raw = self._reader.read(position, _CUDA_HEADER.size, ".nv_fatbin")
            magic, _, header, size = _CUDA_HEADER.unpack(raw)
            if magic != _CUDA_MAGIC:
                if any(raw):
                    self._doubt(position, "what is no container of CUDA")
                    return
                position += 8
                continue
            self.bundles += 1
            end = position + header + size
            if header < _CUDA_HEADER.size or end > place.stop:
                self._doubt(position, "a container that reaches past the device code")
                return
            for target in self._images(position + header, end):
                self.cuda_targets.add(target)
            position = -(-end // 8) * 8

    def _images(self, position: int, end: int) -> Iterator[str]:
        """The images of one container."""
        while position + _CUDA_ENTRY.size <= end:
            raw = self._reader.read(position, _CUDA_ENTRY.size, ".nv_fatbin image")
            kind, _, header, size, _, _, _, _, number = _CUDA_ENTRY.unpack(raw)
            if header < _CUDA_ENTRY.size or position + header + size > end:
                self._doubt(position, "an image that reaches past its container")
                return
            if kind in (_PTX, _CUBIN) and number < 10_000:
                yield f"{'compute' if kind == _PTX else 'sm'}_{number}"
            else:
                self._doubt(position, f"an image of kind {kind}, which is not known")
            position += header + size

    def _doubt(self, at: int, what: str) -> None:
        if len(self.unknown) < _MOST_SENTENCES:
            self.unknown.append(f"{self._reader.name}: at offset {at:#x}: {what}")


def _unzstd(data: bytes) -> bytes:
    """The beginning of what is compressed.

    Raises:
        ImportError: there is no decompressor.
        ValueError: it is damaged.
    """
    import zstandard  # noqa: PLC0415  an extra

    try:
        return zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj().decompress(
            data[:_WINDOW]
        )[:_HEAD]  # fmt: skip
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
