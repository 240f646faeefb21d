"""What is given to ``verify``, as builds: files that belong together."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from ..checklist.build import Build, BuildFile, ImportRoot, Machine
from ..errors import ElfAuditError, SourceError
from ..findings import DEFAULT, Resolution
from ..findings.checks import Runner
from ..loader import ObjectStore
from ..loader.python import extension_version
from ..sources import FileSource, Source, TreeSource, WheelSource, open_source
from .resolving import resolve_in
from .session import Session
from .surroundings import Surroundings, parse_dlopen

__all__ = ["Grouping", "Unopened", "builds_of", "grouped", "is_root", "opened_builds", "wheels_in"]

_DIST_INFO = re.compile(
    r"(?P<base>.*)/[^/]+\.(?:dist-info/(?:METADATA|RECORD)|egg-info(?:/PKG-INFO)?)$"
)
_DATA = re.compile(r"(?P<base>/[^/]+\.data/(?:purelib|platlib))/")
_SITE = re.compile(r"(?P<base>.*/(?:site|dist)-packages)/")
_PYTHON = re.compile(r"/python(3\.\d+)/")
_MACHINE = re.compile(r"_(x86_64|aarch64|ppc64le|s390x|riscv64|i686|armv7l)$")
_ENVIRONMENTS = ("/site-packages", "/dist-packages")

_INSTALLED = re.compile(r"\.(?:dist-info|egg-info|py|so)$|^site-packages$|^dist-packages$")
_MOST_PARTS, _MOST_NAMED = 12, 4

Grouping = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Unopened:
    """A build that cannot be looked at.

    Attributes:
        label: how it is named.
        error: why.
    """

    label: str
    error: ElfAuditError


def grouped(targets: Sequence[str], *, together: bool | None = None) -> Grouping:
    """Which targets belong to one build.

    Wheels of different projects are installed side by side: they are one build. Two of one project
    are two builds, and so is every directory and every other file. A directory that holds wheels,
    and nothing that is installed, stands for them.

    Args:
        targets: as given.
        together: all of them as one build, or each as its own; None: as said.

    Raises:
        SourceError: a directory cannot be listed.
    """
    each_one = [target for given in targets for target in wheels_in(given)]
    if together is not None:
        return (tuple(each_one),) if together else tuple((each,) for each in each_one)
    projects = [_project(each) for each in each_one]
    if None not in projects and len(set(projects)) == len(projects):
        return (tuple(each_one),)
    return tuple((each,) for each in each_one)


def _project(target: str) -> str | None:
    """The normalised name of a wheel's project; None for what is no wheel."""
    try:
        return str(parse_wheel_filename(os.path.basename(target))[0])
    except (InvalidWheelFilename, ValueError):
        return None


def wheels_in(target: str) -> list[str]:
    """The wheels of a directory that holds them and nothing installed; else the target itself."""
    try:
        names = sorted(os.listdir(target)) if os.path.isdir(target) else []
    except OSError as error:
        raise SourceError(target, f"cannot be listed: {error.strerror}") from error
    wheels = [os.path.join(target, name) for name in names if name.endswith(".whl")]
    return [target] if not wheels or any(map(_INSTALLED.search, names)) else wheels


def builds_of(
    groups: Grouping, surroundings: Surroundings, *, runner: Runner | None = None
) -> tuple[Build, ...]:
    """The builds, nothing of them read but the directories of archives.

    Args:
        groups: as of :func:`grouped`.
        surroundings: the process that files are loaded into. Where a target is itself the root of
            a file system and no other root is given, it is the root.
        runner: how commands are run; None: they are not.

    Raises:
        SourceError: a target cannot be opened.
    """
    pairs = zip(groups, _labels(groups), strict=True)
    return tuple(_build(group, label, surroundings, runner) for group, label in pairs)


def opened_builds(
    groups: Grouping, surroundings: Surroundings, *, runner: Runner | None = None
) -> tuple[Build | Unopened, ...]:
    """The same, but of several builds one that cannot be opened is told as such.

    Args:
        groups: as of :func:`builds_of`, like the others.
        surroundings: likewise.
        runner: likewise.

    Raises:
        SourceError: none of them can be opened.
    """
    builds: list[Build | Unopened] = []
    for group, label in zip(groups, _labels(groups), strict=True):
        try:
            builds.append(_build(group, label, surroundings, runner))
        except ElfAuditError as error:
            builds.append(Unopened(label, error))
    failed = [each.error for each in builds if isinstance(each, Unopened)]
    if failed and len(failed) == len(builds):
        raise failed[0]
    return tuple(builds)


def _labels(groups: Grouping) -> list[str]:
    """How each build is named: as short as tells it from the others."""
    for parts in range(1, _MOST_PARTS):
        labels = [_label(group, parts) for group in groups]
        if len(set(labels)) == len(set(groups)):
            return labels
    return [" + ".join(group) for group in groups]


def _label(group: Sequence[str], parts: int) -> str:
    if len(group) <= _MOST_NAMED:
        return " + ".join(_last_parts(each, parts) for each in group)
    first = " + ".join(_last_parts(each, parts) for each in group[: _MOST_NAMED - 1])
    return f"{first} + {len(group) - _MOST_NAMED + 1} others"


def _last_parts(path: str, count: int) -> str:
    return "/".join(path.rstrip("/").split("/")[-count:]) or path


def _build(
    targets: Sequence[str], label: str, surroundings: Surroundings, runner: Runner | None
) -> Build:
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
    system = None if inputs.root is None else TreeSource(inputs.root)
    is_this = all(isinstance(source, TreeSource) and source.root == "/" for source in sources)
    return Build(
        label,
        roots,
        sources,
        system=system,
        store=store,
        machine=_machine(sources, roots, is_this=is_this),
        resolver=_Resolver(dict(zip(targets, sources, strict=True)), inputs, store),
        runner=runner,
    )


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
    places = (f"{os.path.abspath(root.source.label)}{root.base}/" for root in roots)
    versions = dict.fromkeys(filter(None, map(_version_of, places)))
    tagged = {_architecture(source) for source in sources if isinstance(source, WheelSource)}
    architecture = next(filter(None, tagged), None)
    running = ".".join(platform.python_version_tuple()[:2])
    version = next(iter(versions), running)
    interpreter = next(filter(None, map(_interpreter, roots)), None)
    return Machine(
        version, len(versions) == 1, architecture or platform.machine(), len(tagged) == 1
        and architecture is not None, is_this, interpreter,
    )  # fmt: skip


def _interpreter(root: ImportRoot) -> str | None:
    """``bin/python3`` of the environment of a ``site-packages`` on this machine."""
    place = f"{os.path.abspath(root.source.label).rstrip('/')}{root.base}"
    match = _PYTHON.search(f"{place}/")
    if match is None or root.is_wheel:
        return None
    python = os.path.join(os.path.dirname(place[: match.start()]) or "/", "bin", "python3")
    return python if os.access(python, os.X_OK) else None


def _version_of(place: str) -> str | None:
    match = _PYTHON.search(place)
    found = match[1] if match else extension_version(place.rstrip("/"))
    return found.rstrip("t") if found and found[0].isdigit() else None


def _architecture(source: Source) -> str | None:
    match = _MACHINE.search(source.label.removesuffix(".whl"))
    return match[1] if match else None


class _Resolver:
    """What the loader would do with the files of a build, in as many processes as are asked for."""

    def __init__(
        self, targets: dict[str, Source], inputs: Surroundings, store: ObjectStore
    ) -> None:
        self._targets, self._inputs, self._store = targets, inputs, store
        self._archives = {
            name: each for name, each in targets.items() if isinstance(each, WheelSource)
        }
        self._sessions: dict[tuple[tuple[str, ...], tuple[str, ...]], Session] = {}

    def __call__(
        self, file: BuildFile, preload: Sequence[str], dlopens: Sequence[str]
    ) -> Resolution:
        key = (tuple(preload), tuple(dlopens))
        if key not in self._sessions:
            inputs = replace(
                self._inputs,
                preload=(*self._inputs.preload, *preload),
                dlopens=(*self._inputs.dlopens, *map(parse_dlopen, dlopens)),
            )
            self._sessions[key] = Session(tuple(self._targets), inputs, self._store, self._archives)
        return resolve_in(self._sessions[key], file.target, DEFAULT)
