"""``verify --init``: a checklist that holds the next build to what this one is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tomli_w
from packaging.utils import canonicalize_name

from ..checklist.build import Build, BuildFile
from ..checklist.kinds import KINDS
from ..checklist.running import judge
from ..elf import ElfObject
from ..errors import ElfAuditError
from ..findings.checks import Check, CheckStatus
from ..pydist import ModuleKind
from .build_targets import builds_of, grouped
from .surroundings import Surroundings

__all__ = ["first_checklist"]

_LIBRARY = re.compile(r"\.so(\.\d+)*$")
_VERSION = re.compile(r"(GLIBC|GLIBCXX|CXXABI)_(\d+(?:\.\d+)*)")
_MOST_FILES = 40
_FLAVORS = tuple(
    {"id": f"flavor-{flavor}", "kind": "flavor", "is": flavor} for flavor in ("rocm", "cuda", "cpu")
)
_SMALLER = 0.8  # of the size that a file has now: below it something is missing


def first_checklist(
    targets: Sequence[str], *, progress: Callable[[str], None] | None = None
) -> str:
    """A checklist, as TOML, of what good targets contain now.

    Args:
        targets: as for :func:`~elfaudit.verify`; taken as one build.
        progress: called with the name of what is looked at next.

    Raises:
        SourceError: a target cannot be opened.
    """
    (build,) = builds_of(grouped(targets, together=True), Surroundings())
    rows = [*_distributions(build), *_libraries(build), *_packages(build), *_FLAVORS]
    kept = [row for row in rows if _holds(row, build, progress)]
    name = re.sub(r"[^a-z0-9._-]+", "-", build.label.lower()).strip("-._")[:60] or "ours"
    document = {
        "name": name,
        "summary": f"What {build.label} was when this was written.",
        "check": kept,
    }
    head = "# Written by elfaudit verify --init. Take out what may change from build to build.\n\n"
    return head + tomli_w.dumps(document, multiline_strings=False)


def _holds(row: dict[str, Any], build: Build, progress: Callable[[str], None] | None) -> bool:
    """Whether a check passes now: what does not is no measure for the next build."""
    parameters = {key: value for key, value in row.items() if key not in ("id", "kind")}
    check = Check(row["id"], row["kind"], row["id"], parameters=parameters)
    assert row["kind"] in KINDS  # noqa: S101 - what is written here is known here
    ((judgement,),) = judge([[check]], build, progress)
    return judgement.status is CheckStatus.PASS


def _distributions(build: Build) -> Iterator[dict[str, Any]]:
    for each in build.distributions:
        if each.record is not None:
            name = canonicalize_name(each.name)
            yield {"id": f"record-{name}"[:80], "kind": "record", "distribution": each.name}
    if build.distributions:
        yield {"id": "requirements", "kind": "requires"}
    if len(build.distributions) > 1:
        count = len(build.distributions)
        yield {"id": "distributions", "kind": "count", "what": "distributions", "min": count}


def _libraries(build: Build) -> Iterator[dict[str, Any]]:
    """The largest libraries: their size, what they list, their name."""
    found: list[tuple[int, BuildFile, ElfObject]] = []
    for file in build.files:
        if _LIBRARY.search(file.place):
            try:
                found.append((file.member.size, file, build.elf(file)))
            except ElfAuditError:
                continue
    if found:
        yield from _limits([elf for _, _, elf in found])
    for size, file, elf in sorted(found, key=lambda row: -row[0])[:_MOST_FILES]:
        stem = re.sub(r"[^a-z0-9._-]+", "-", file.path.lower())[-60:].strip("-._/")
        yield {"id": f"size-{stem}", "kind": "file", "path": file.path,
               "min_size": int(size * _SMALLER)}  # fmt: skip
        if elf.needed:
            yield {"id": f"needed-{stem}", "kind": "needed", "file": file.path,
                   "has": list(elf.needed)}  # fmt: skip
        if elf.soname is not None:
            yield {"id": f"soname-{stem}", "kind": "soname", "file": file.path, "is": elf.soname}


def _limits(files: Sequence[ElfObject]) -> Iterator[dict[str, Any]]:
    """The newest versions that are needed now."""
    highest: dict[str, tuple[int, ...]] = {}
    for elf in files:
        for need in elf.versions.needs:
            if match := _VERSION.fullmatch(need.name):
                number = tuple(int(part) for part in match[2].split("."))
                highest[match[1]] = max(number, highest.get(match[1], ()))
    limits = {prefix: ".".join(map(str, number)) for prefix, number in sorted(highest.items())}
    if limits:
        yield {"id": "glibc", "kind": "glibc", "file": "**/*.so*", "max": limits}
    yield {"id": "stack", "kind": "hardening", "file": "**/*.so*", "stack": True}


def _packages(build: Build) -> Iterator[dict[str, Any]]:
    """The packages that one of the distributions brings, if they are few."""
    tops = {
        row.path.partition("/")[0]
        for each in build.distributions
        for row in each.record or ()
        if row.path.endswith("/__init__.py") and row.path.count("/") == 1
    }
    for top in sorted(tops)[:_MOST_FILES]:
        module = build.modules.find(top)
        if module is not None and module.kind is ModuleKind.PACKAGE:
            yield {"id": f"imports-{top}".lower(), "kind": "imports", "package": top, "all": True}
