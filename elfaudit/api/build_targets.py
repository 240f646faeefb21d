"""What is given to ``verify``, as builds: files that belong together."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from ..checklist.build import Build, BuildFile, ImportRoot, Machine
from ..errors import SourceError
from ..findings import DEFAULT, Resolution
from ..findings.checks import Runner
from ..loader import ObjectStore
from ..loader.python import extension_version
from ..sources import FileSource, Source, TreeSource, WheelSource, open_source
from .resolving import resolve_beside
from .surroundings import Surroundings, parse_dlopen

__all__ = ["Grouping", "builds_of", "grouped", "is_root", "wheels_in"]

_DIST_INFO = re.compile(
    r"(?P<base>.*)/[^/]+\.(?:dist-info/(?:METADATA|RECORD)|egg-info(?:/PKG-INFO)?)$"
)
_DATA = re.compile(r"(?P<base>/[^/]+\.data/(?:purelib|platlib))/")
_SITE = re.compile(r"(?P<base>.*/(?:site|dist)-packages)/")
_PYTHON = re.compile(r"/python(3\.\d+)/")
_MACHINE = re.compile(r"_(x86_64|aarch64|ppc64le|s390x|riscv64|i686|armv7l)$")
_ENVIRONMENTS = ("/site-packages", "/dist-packages")

Grouping = tuple[tuple[str, ...], ...]


def grouped(targets: Sequence[str], *, together: bool | None = None) -> Grouping:
    """Which targets belong to one build.

    Wheels of different projects are installed side by side: they are one build. Two of one project
    are two builds, and so is every directory and every other file.

    Args:
        targets: as given.
        together: all of them as one build, or each as its own; None: as said.
    """
    if together is not None:
        return (tuple(targets),) if together else tuple((each,) for each in targets)
    projects = [_project(each) for each in targets]
    if None not in projects and len(set(projects)) == len(projects):
        return (tuple(targets),)
    return tuple((each,) for each in targets)


def _project(target: str) -> str | None:
    """The normalised name of a wheel's project; None for what is no wheel."""
    try:
        return str(parse_wheel_filename(os.path.basename(target))[0])
    except (InvalidWheelFilename, ValueError):
        return None


def builds_of(
    groups: Grouping, surroundings: Surroundings, *, runner: Runner | None = None
) -> tuple[Build, ...]:
    """The builds, nothing of them read but the directories of archives.

    Args:
        groups: as of :func:`grouped`; a directory in which there are only wheels stands for them.
        surroundings: the process that files are loaded into. Where a target is itself the root of
            a file system and no other root is given, it is the root.
        runner: how commands are run; None: they are not.

    Raises:
        SourceError: a target cannot be opened.
    """
    return tuple(_build(group, surroundings, runner) for group in groups)


def _build(group: Sequence[str], surroundings: Surroundings, runner: Runner | None) -> Build:
    targets = [each for given in group for each in wheels_in(given)]
    inputs = surroundings
    sources: list[Source] = []
    for target in targets:
        if is_root(target):
            sources.append(TreeSource(target))
            if surroundings.root == "/":
                inputs = replace(surroundings, root=target)
        else:
            sources.append(open_source(target))
    roots = tuple(root for source in sources for root in _import_roots(source))
    store = ObjectStore()
    label = " + ".join(os.path.basename(each.rstrip("/")) or each for each in group)
    is_this = all(isinstance(source, TreeSource) and source.root == "/" for source in sources)
    return Build(
        label,
        roots,
        sources,
        store=store,
        machine=_machine(sources, roots, is_this=is_this),
        resolver=_Resolver(tuple(targets), inputs, store),
        runner=runner,
    )


def wheels_in(target: str) -> list[str]:
    """The wheels of a directory that holds them and no modules; else the target itself."""
    try:
        names = sorted(os.listdir(target)) if os.path.isdir(target) else []
    except OSError as error:
        raise SourceError(target, f"cannot be listed: {error.strerror}") from error
    wheels = [os.path.join(target, name) for name in names if name.endswith(".whl")]
    others = any(os.path.isdir(os.path.join(target, name)) for name in names)
    return wheels if wheels and not others else [target]


def is_root(target: str) -> bool:
    """Whether a directory is the root of a file system: an image unpacked, a sysroot, ``/``."""
    parts = (os.path.join(target, "etc"), os.path.join(target, "usr"))
    return os.path.isdir(target) and all(map(os.path.isdir, parts))


def _import_roots(source: Source) -> tuple[ImportRoot, ...]:
    """Where modules are searched for in a source."""
    is_wheel = isinstance(source, WheelSource)
    if isinstance(source, FileSource):
        return ()
    bases: dict[str, None] = {"": None} if is_wheel else {}
    patterns = (_DATA,) if is_wheel else (_DIST_INFO, _SITE)
    for name in source.names():
        for pattern in patterns:
            match = pattern.match(name)
            if match:
                bases[match["base"]] = None
    if not bases:
        bases[""] = None  # a build tree: modules are below the directory itself
    kept = [base for base in bases if is_wheel or not _is_below_another(base, bases)]
    return tuple(ImportRoot(source, base, is_wheel) for base in kept)


def _is_below_another(base: str, bases: Iterable[str]) -> bool:
    """Whether it is what a package vendors or tests with, and no environment of its own."""
    if base.endswith(_ENVIRONMENTS):
        return False
    return any(base != other and base.startswith(f"{other}/") for other in bases)


def _machine(sources: Sequence[Source], roots: Sequence[ImportRoot], *, is_this: bool) -> Machine:
    version = next(
        (
            found
            for root in roots
            if (found := _version_of(f"{root.source.label}{root.base}/")) is not None
        ),
        None,
    )
    architecture = next(filter(None, map(_architecture, sources)), platform.machine())
    known = version is not None
    running = ".".join(platform.python_version_tuple()[:2])
    return Machine(version or running, known, architecture, is_this)


def _version_of(place: str) -> str | None:
    match = _PYTHON.search(place)
    found = match[1] if match else extension_version(place.rstrip("/"))
    return found.rstrip("t") if found and found[0].isdigit() else None


def _architecture(source: Source) -> str | None:
    match = _MACHINE.search(source.label.removesuffix(".whl"))
    return match[1] if match else None


class _Resolver:
    """What the loader would do with a file of a build."""

    def __init__(self, targets: tuple[str, ...], inputs: Surroundings, store: ObjectStore) -> None:
        self._targets, self._inputs, self._store = targets, inputs, store

    def __call__(
        self, file: BuildFile, preload: Sequence[str], dlopens: Sequence[str]
    ) -> Resolution:
        inputs = replace(
            self._inputs,
            preload=(*self._inputs.preload, *preload),
            dlopens=(*self._inputs.dlopens, *map(parse_dlopen, dlopens)),
        )
        label = file.source.label
        address = label if isinstance(file.source, FileSource) else f"{label}::{file.place[1:]}"
        others = [each for each in self._targets if each != label]
        return resolve_beside(address, others, inputs, DEFAULT, self._store)
