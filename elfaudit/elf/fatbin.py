"""Which GPUs the device code in a file is compiled for.

Bundles of HIP and containers of CUDA are found by their magic, whether there are section headers
or not; where there are, only what lies in the sections of device code counts. Only headers are
looked at, and of a compressed bundle its beginning: a gigabyte of device code costs no more memory
than a kilobyte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..stream import ByteStream
from .cuda_fatbin import CONTAINER, DeviceImages, cuda_container
from .header import read_header
from .offload_bundle import BUNDLE, COMPRESSED, compressed_bundle, plain_bundle
from .pages import PAGE, page_end
from .reader import Reader
from .sections import find_sections
from .walk import Asked, ForwardWalk, Walk

__all__ = ["DeviceCode", "GpuTargets", "gpu_targets"]

_HIP_SECTIONS, _CUDA_SECTIONS = (".hip_fatbin",), (".nv_fatbin", "__nv_relfatbin")
_WINDOW = 64 << 10
_MOST_BUNDLES, _MOST_SENTENCES = 200_000, 20
_MOST_COMPRESSED = 20_000  # each takes as long as a hundred that are not


@dataclass(frozen=True, slots=True)
class GpuTargets:
    """What the device code in a file is compiled for.

    Attributes:
        hip: target ids, ``gfx90a:xnack-``; sorted, each once.
        cuda: ``sm_90a`` for machine code, ``compute_90`` for PTX, ``lto_90`` for what is linked
            when it is loaded; likewise.
        unknown: what could not be read and why, one sentence each.
        bundles: how many bundles and containers there are.
    """

    hip: tuple[str, ...]
    cuda: tuple[str, ...]
    unknown: tuple[str, ...]
    bundles: int


class DeviceCode(ForwardWalk):
    """Looks for device code in the bytes of a file, which come from its start to its end.

    Args:
        size: of the file, or where to stop.
        start: where to begin.
    """

    def __init__(self, size: int, start: int = 0) -> None:
        self._size = size
        self._found: list[DeviceImages] = []
        super().__init__(self._through(start))

    def targets(self, name: str, sections: Mapping[str, range]) -> GpuTargets:
        """What was found, after :meth:`end`.

        Args:
            name: how to name the file in messages.
            sections: where its sections are; empty: it has no section headers.
        """
        return _summed(name, self._found, sections)

    def _through(self, position: int) -> Walk[None]:
        left = _MOST_COMPRESSED
        while (at := (yield from _next_magic(position, self._size))) is not None:
            if len(self._found) == _MOST_BUNDLES or not left:
                self._found.append(DeviceImages(at, at, (), "more bundles than any real file has"))
                return
            magic = yield Asked(at, 8, 8)
            if magic == CONTAINER:
                found = yield from cuda_container(at, self._size)
            elif magic.startswith(COMPRESSED):
                left -= 1
                found = yield from compressed_bundle(at, self._size)
            else:
                found = yield from plain_bundle(at, self._size)
            self._found.append(found)
            position = found.end


def gpu_targets(stream: ByteStream, name: str) -> GpuTargets:
    """The targets of one ELF file that can be sought in.

    Args:
        stream: the file.
        name: how to name it in messages.

    Raises:
        ElfFormatError: its header or its section headers contradict the specification.
        SourceError: it cannot be read.
    """
    reader = Reader(stream, name)
    sections = find_sections(reader, read_header(reader))
    places = [sections[each] for each in (*_HIP_SECTIONS, *_CUDA_SECTIONS) if each in sections]
    found: list[DeviceImages] = []
    for place in places if sections else [range(reader.size)]:
        code = DeviceCode(place.stop, place.start)
        while code.asked is not None:
            start, least, most = code.asked
            data = reader.read_available(start, min(most, max(place.stop - start, 0)))
            code.feed(start, data)
            if len(data) < least:
                code.end()
        found += code._found
    return _summed(name, found, sections)


def _next_magic(position: int, size: int) -> Walk[int | None]:
    """Where the next bundle or container begins; None: nowhere."""
    behind = True  # whether there was nothing but padding since the one before
    least = len(BUNDLE)
    while position + len(CONTAINER) <= size:
        window = yield Asked(position, least, _WINDOW)
        places = [window.find(magic) for magic in (BUNDLE, CONTAINER)]
        places.append(_compressed_in(position, window, behind=behind))
        found = [place for place in places if place >= 0]
        if found:
            return position + min(found)
        if len(window) < least:
            return None
        position += len(window) - least + 1
        behind = behind and not window.strip(b"\0")
    return None


def _compressed_in(position: int, window: bytes, *, behind: bool) -> int:
    """Where the first compressed bundle is, or -1.

    Its magic is short, and may be anywhere by chance: it counts at the start of a page, where the
    linker puts it, and where nothing but padding is in front of it.
    """
    if behind:
        padding = len(window) - len(window.lstrip(b"\0"))
        if window.startswith(COMPRESSED, padding):
            return padding
    first = page_end(position) - position
    heads = window[first::PAGE]
    number = heads.find(COMPRESSED[:1])
    while number >= 0 and not window.startswith(COMPRESSED, first + number * PAGE):
        number = heads.find(COMPRESSED[:1], number + 1)
    return number if number < 0 else first + number * PAGE


def _summed(name: str, found: list[DeviceImages], sections: Mapping[str, range]) -> GpuTargets:
    hip: set[str] = set()
    cuda: set[str] = set()
    count = 0
    unknown: list[str] = []
    for each in _counted(found, sections):
        doubt = each.doubt
        is_cuda = each.targets and each.targets[0].partition("_")[0] in ("sm", "compute", "lto")
        (cuda if is_cuda else hip).update(each.targets)
        count += 1
        if doubt is not None and len(unknown) < _MOST_SENTENCES:
            unknown.append(f"{name}: at offset {each.start:#x}: {doubt}")
    for section in (*_HIP_SECTIONS, *_CUDA_SECTIONS):
        place = sections.get(section)
        if place and not any(each.start in place for each in found):
            unknown.append(f"{name}: {section} has device code of a form that is not known")
    return GpuTargets(tuple(sorted(hip)), tuple(sorted(cuda)), tuple(unknown), count)


def _counted(found: list[DeviceImages], sections: Mapping[str, range]) -> Iterator[DeviceImages]:
    """What lies where device code is, where that is known."""
    if not sections:
        yield from found
        return
    for names in (_HIP_SECTIONS, _CUDA_SECTIONS):
        for name in names:
            place = sections.get(name, range(0))
            for each in found:
                if each.start in place:
                    past = each.end > place.stop
                    yield DeviceImages(
                        each.start, each.end, each.targets,
                        "device code that reaches past its section" if past else each.doubt,
                    )  # fmt: skip
