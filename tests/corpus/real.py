"""Real shared libraries: the system's, Python's, and those of wheels."""

from __future__ import annotations

import sys
import sysconfig
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from .judge import Sample
from .machines import MACHINES, Machine

__all__ = ["real_samples"]

_LARGEST = 40 << 20
_LARGEST_WHEEL = 100 << 20
_EACH_WHEEL = 12
_SYSTEM = 120
_EXTENSIONS = 25


def real_samples(wheels: Iterable[Path], directory: Path) -> Iterator[Sample]:
    """Libraries of this machine, as many each time; one of a name and size is taken once.

    Args:
        wheels: directories with wheels.
        directory: where those are unpacked.
    """
    machine = next((each for each in MACHINES if each.is_native), None)
    if machine is None:
        return
    seen: set[tuple[str, int]] = set()
    found = [*_system(machine), *_extensions(machine)]
    for place in wheels:
        for wheel in sorted(place.glob("*.whl")):
            if wheel.stat().st_size <= _LARGEST_WHEEL and "musllinux" not in wheel.name:
                found += _members(machine, wheel, directory / wheel.stem)
    for sample in found:
        key = (sample.path.name, sample.path.stat().st_size)
        if key not in seen:
            seen.add(key)
            yield sample


def _is_elf(path: Path) -> bool:
    if path.is_symlink() or not path.is_file() or not 64 < path.stat().st_size <= _LARGEST:
        return False
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def _spread(found: list[Path], count: int) -> list[Path]:
    """Some of many, from all over the list."""
    if len(found) <= count:
        return found
    return [found[len(found) * each // count] for each in range(count)]


def _system(machine: Machine) -> Iterator[Sample]:
    root = Path("/usr/lib", machine.triplet)
    found = [each for each in sorted(root.rglob("*.so*")) if _is_elf(each)]
    for path in _spread(found, _SYSTEM):
        yield _sample("system", machine, path, [path.parent])


def _extensions(machine: Machine) -> Iterator[Sample]:
    place = Path(sysconfig.get_path("stdlib"), "lib-dynload")
    found = [each for each in sorted(place.glob("*.so")) if _is_elf(each)]
    for path in _spread(found, _EXTENSIONS):
        yield _sample("python", machine, path, [path.parent, *_libraries_of_python()])


def _members(machine: Machine, wheel: Path, directory: Path) -> Iterator[Sample]:
    with zipfile.ZipFile(wheel) as archive:
        names = [each for each in archive.namelist() if ".so" in each.rpartition("/")[2]]
        archive.extractall(directory, names)
    found = [each for each in sorted(directory.rglob("*.so*")) if _is_elf(each)]
    directories = sorted({each.parent for each in found})
    for path in _spread(found, _EACH_WHEEL):
        beside = [path.parent, *(each for each in directories if each != path.parent)]
        yield _sample(wheel.name.partition("-")[0], machine, path, beside)


def _sample(where: str, machine: Machine, path: Path, directories: Iterable[Path]) -> Sample:
    directories = [*directories, *_libraries_of_python()]
    before = []
    if ".cpython-" in path.name or ".abi3" in path.name:
        before = [f"libpython{sys.version_info[0]}.{sys.version_info[1]}.so.1.0"]
    return Sample(
        f"{where}/{path.name}", machine, path, "lib", tuple(map(str, directories)), tuple(before),
        "real",
    )  # fmt: skip


def _libraries_of_python() -> list[Path]:
    place = sysconfig.get_config_var("LIBDIR")
    return [Path(place)] if place else []
