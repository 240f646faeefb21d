"""The Python modules below some import roots, found as CPython's path finder finds them.

Source: ``FileFinder.find_spec`` (``Lib/importlib/_bootstrap_external.py``): in a directory a
package comes before an extension module, that before a ``.py``, that before a ``.pyc``; a directory
with none of them is a portion of a namespace package (PEP 420), which counts only if no root has
more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Protocol

from ..errors import ElfAuditError
from .answers import Refusal
from .effects import Effects, effects_of
from .path_files import PathFile, read_path_file
from .reading import read_surface
from .surface import Surface

__all__ = ["Module", "ModuleKind", "Modules", "PythonFiles"]

# The suffixes that some CPython on Linux looks for: `importlib.machinery.EXTENSION_SUFFIXES`.
_EXTENSION = re.compile(
    r"(?P<name>[^./]+)(?:\.abi3t?|\.cpython-(?P<python>\d+)[a-z]*(?:-(?P<machine>\w+)-linux-\w+)?)?"
    r"\.so"
)
# As the suffix spells what `uname -m` says otherwise.
_SPELLED = {"ppc64le": "powerpc64le", "i686": "i386", "armv7l": "arm", "ppc64": "powerpc64"}
_COMPILED = Surface(problem="it is compiled")


class PythonFiles(Protocol):
    """The files below one entry of an import path."""

    def names(self) -> Iterable[str]:
        """Their relative paths."""

    def read(self, name: str) -> bytes:
        """The bytes of one.

        Raises:
            SourceError: it cannot be read.
        """


class ModuleKind(Enum):
    """What a module is, in the order in which one is preferred to another in a directory."""

    PACKAGE = 0
    EXTENSION = 1
    SOURCE = 2
    BYTECODE = 3
    NAMESPACE = 4


@dataclass(frozen=True, slots=True)
class Module:
    """One module.

    Attributes:
        name: with dots.
        kind: what it is.
        root: the number of the import root it is in; of a namespace package the first.
        path: its file, relative to that; of a namespace package the directory.
    """

    name: str
    kind: ModuleKind
    root: int
    path: str

    @property
    def is_package(self) -> bool:
        """Whether it can have submodules."""
        return self.kind in (ModuleKind.PACKAGE, ModuleKind.NAMESPACE)


class Modules:
    """All modules; each file is read and parsed once, when it is first asked for.

    Args:
        roots: the entries of the import path, in their order.
        python: the version of the Python that imports them, ``3.11``; None: any.
        machine: what it runs on, as ``uname -m``; None: any.

    Attributes:
        refusals: why a module cannot be imported, or None where it can, by name; what was found
            out is kept here for the next question.
        star_names: what the star imports of a module can bring, kept likewise.
    """

    def __init__(
        self, roots: Sequence[PythonFiles], *, python: str | None = None, machine: str | None = None
    ) -> None:
        self._roots = tuple(roots)
        self._python = "".join(python.split(".")[:2]) if python else None
        self._machine = _SPELLED.get(machine or "", machine)
        self._surfaces: dict[str, Surface] = {}
        self._effects: dict[str, Effects] = {}
        self._homes: dict[str, dict[str, list[str]]] = {}
        self._called: dict[str, dict[str, list[str]]] = {}
        self.refusals: dict[str, Refusal | None] = {}
        self.star_names: dict[str, frozenset[str] | None] = {}

    @cached_property
    def _found(self) -> dict[str, Module]:
        found: dict[str, Module] = {}
        for number, root in enumerate(self._roots):
            self._add_root(number, root.names(), found)
        return found

    @cached_property
    def _modules(self) -> dict[str, Module]:
        # A package is one directory: what another root has below its name is not found, unless
        # the package says so.
        found = self._found
        return {name: each for name, each in found.items() if self._is_reached(each, found)}

    @cached_property
    def path_files(self) -> tuple[PathFile, ...]:
        """The ``.pth`` files of all roots; one that cannot be read leads nowhere."""
        found: list[PathFile] = []
        for root in self._roots:
            for name in root.names():
                if "/" in name or not name.endswith(".pth"):
                    continue
                with suppress(ElfAuditError):
                    text = root.read(name).decode("utf-8", "replace")
                    found.append(read_path_file(name, text))
        return tuple(found)

    def _add_root(self, number: int, names: Iterable[str], found: dict[str, Module]) -> None:
        folders: set[str] = set()
        for path in names:
            folder, _, last = path.rpartition("/")
            module = _module_of(number, folder, last, path)
            if module is not None and self._is_loadable(module, last):
                _offer(module, found)
            while folder and folder not in folders:
                folders.add(folder)  # any directory is one, whatever it holds
                folder = folder.rpartition("/")[0]
        for folder in folders:
            if all(part.isidentifier() for part in folder.split("/")):
                _offer(
                    Module(folder.replace("/", "."), ModuleKind.NAMESPACE, number, folder), found
                )

    def _is_loadable(self, module: Module, last: str) -> bool:
        """Whether an extension module is for this Python and this machine."""
        tag = _EXTENSION.fullmatch(last) if module.kind is ModuleKind.EXTENSION else None
        if tag is None:
            return True
        return all(
            stated is None or known is None or stated == known
            for stated, known in ((tag["python"], self._python), (tag["machine"], self._machine))
        )

    def _is_reached(self, module: Module, found: dict[str, Module]) -> bool:
        parent_name = module.name.rpartition(".")[0]
        while parent_name:
            parent = found.get(parent_name)
            if parent is None or not parent.is_package:
                return False
            if (
                parent.kind is ModuleKind.PACKAGE
                and parent.root != module.root
                and not self.surface(parent).shares_path
            ):
                return False
            parent_name = parent_name.rpartition(".")[0]
        return True

    def find(self, name: str) -> Module | None:
        """The module of a name with dots, or None."""
        return self._modules.get(name)

    def all(self) -> Iterable[Module]:
        """Every module."""
        return self._modules.values()

    def below(self, package: str) -> tuple[Module, ...]:
        """A package and all modules in it, sorted."""
        start = f"{package}."
        found = (
            each
            for name, each in self._modules.items()
            if name == package or name.startswith(start)
        )
        return tuple(sorted(found, key=lambda each: each.name))

    def homes(self, package: str, name: str) -> Sequence[str]:
        """The modules written in Python of a package that define a name, sorted."""
        if package not in self._homes:
            index: dict[str, list[str]] = {}
            self._homes[package] = index
            for each in self.below(package):
                if each.kind in (ModuleKind.SOURCE, ModuleKind.PACKAGE):
                    for defined in self.surface(each).defined:
                        index.setdefault(defined, []).append(each.name)
        return self._homes[package].get(name, ())

    def called(self, package: str, last: str) -> Sequence[str]:
        """The modules of a package of which the name ends so, sorted."""
        if package not in self._called:
            index: dict[str, list[str]] = {}
            self._called[package] = index
            for each in self.below(package):
                index.setdefault(each.name.rpartition(".")[2], []).append(each.name)
        return self._called[package].get(last, ())

    def surface(self, module: Module) -> Surface:
        """What a module binds; of an extension module nothing is known but its problem."""
        known = self._surfaces.get(module.name)
        if known is None:
            known = self._surfaces[module.name] = self._read(module)
        return known

    def effects(self, package: str) -> Effects:
        """What the modules of a package do to each other; all of them are read for it."""
        known = self._effects.get(package)
        if known is None:
            below = ((m.name, m.is_package, self.surface(m)) for m in self.below(package))
            known = self._effects[package] = effects_of(below)
        return known

    def _read(self, module: Module) -> Surface:
        if module.kind is ModuleKind.NAMESPACE:
            return Surface()
        if module.kind in (ModuleKind.EXTENSION, ModuleKind.BYTECODE) or not module.path.endswith(
            ".py"
        ):
            return _COMPILED
        try:
            return read_surface(
                self._roots[module.root].read(module.path), module.name,
                is_package=module.is_package,
            )  # fmt: skip
        except ElfAuditError as error:
            return Surface(problem=f"cannot be read: {error}")


def _module_of(root: int, folder: str, last: str, path: str) -> Module | None:
    """The module that a file is; None if it is none."""
    parts = folder.split("/") if folder else []
    if not all(part.isidentifier() for part in parts):
        return None
    extension = _EXTENSION.fullmatch(last)
    if last.endswith(".py"):
        stem, kind = last.removesuffix(".py"), ModuleKind.SOURCE
    elif extension:
        stem, kind = extension["name"], ModuleKind.EXTENSION
    elif last.endswith(".pyc") and parts[-1:] != ["__pycache__"]:
        stem, kind = last.removesuffix(".pyc"), ModuleKind.BYTECODE
    else:
        return None
    if stem == "__init__":
        return Module(".".join(parts), ModuleKind.PACKAGE, root, path) if parts else None
    return Module(".".join((*parts, stem)), kind, root, path) if stem.isidentifier() else None


def _offer(module: Module, found: dict[str, Module]) -> None:
    """Take a module for its name unless there is a better one.

    An earlier root wins, unless all it has is a portion of a namespace package.
    """
    other = found.get(module.name)
    if other is None:
        found[module.name] = module
    elif other.root == module.root:
        if (module.kind.value, module.path) < (other.kind.value, other.path):
            found[module.name] = module
    elif other.kind is ModuleKind.NAMESPACE and module.kind is not ModuleKind.NAMESPACE:
        found[module.name] = module
