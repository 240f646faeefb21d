"""The import surface of two builds, as far as it may differ."""

from __future__ import annotations

from collections.abc import Mapping

from ..checklist.build import Build
from ..errors import SourceError
from ..loader.python import is_extension_name
from ..pydist import Module, ModuleKind, inventory
from ..sources import Member
from .build_targets import builds_of
from .compared_builds import ComparedBuild, same_bytes
from .surroundings import Surroundings

__all__ = ["compared_modules"]

Names = Mapping[str, frozenset[str]]


def compared_modules(before: ComparedBuild, after: ComparedBuild) -> tuple[Names, Names]:
    """The public names of each module of both sides.

    Only modules whose own file changed are read. Where nothing is to be compared, because the file
    is the same or names are computed on one side, a module stands there without names.
    """
    old, new = (_modules(each) for each in (before, after))
    names: tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]] = (
        dict.fromkeys(old[1], frozenset()),
        dict.fromkeys(new[1], frozenset()),
    )
    for name in old[1].keys() & new[1].keys():
        if _is_same(before.members, old[1][name], after.members, new[1][name]):
            continue
        found = [inventory(build.modules, name) for build in (old[0], new[0])]
        if all(each.complete for each in found):
            names[0][name], names[1][name] = (each.names for each in found)
    return names


def _modules(side: ComparedBuild) -> tuple[Build, dict[str, str]]:
    """The build, and the path of each module of it but namespace packages."""
    (build,) = builds_of(((side.target,),), Surroundings())
    return build, {
        each.name: _path(build, each)
        for each in build.modules.all()
        if each.kind is not ModuleKind.NAMESPACE and not _is_library(each)
    }


def _is_library(module: Module) -> bool:
    """Whether it is a library that Python could only import by its name: ``libz.so``."""
    last = module.name.rpartition(".")[2]
    is_extension = module.kind is ModuleKind.EXTENSION
    return is_extension and last.startswith("lib") and not is_extension_name(module.path)


def _path(build: Build, module: Module) -> str:
    return f"{build.roots[module.root].base}/{module.path}".lstrip("/")


def _is_same(before: Mapping[str, Member], old: str, after: Mapping[str, Member], new: str) -> bool:
    mine, theirs = before.get(old), after.get(new)
    if mine is None or theirs is None:
        return False
    try:
        return same_bytes(mine, theirs)
    except SourceError:
        return False
