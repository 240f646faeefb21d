"""Any edits in any order: a model says what pyelftools must find, and all else stays as it is.

Undo gives the first bytes back whatever was done, and so does doing and undoing the same edit.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elfaudit.errors import PatchError
from elfaudit.patch.edits import (
    AddNeeded,
    AddRunpath,
    PatchEdit,
    RemoveNeeded,
    RemoveRunpath,
    ReplaceNeeded,
    RpathToRunpath,
    SetRunpath,
    SetSoname,
)

from . import outside
from .outside import said
from .patching import BIG_ENDIAN, copied, patched, undone

_NAMES = st.sampled_from(
    ["libdep.so.1", "libc10.so", "dep.so.1", "liba.so", "libb.so.2", "l", "x" * 300, "libä.so"]
)
_PATHS = st.sampled_from(["$ORIGIN", "/opt/lib", "$ORIGIN/../other", "a", "/x" * 90])
_EDITS: st.SearchStrategy[PatchEdit] = st.one_of(
    st.builds(AddNeeded, _NAMES, st.none() | _NAMES, st.booleans()),
    st.builds(RemoveNeeded, _NAMES),
    st.builds(ReplaceNeeded, _NAMES, _NAMES),
    st.builds(SetSoname, _NAMES),
    st.builds(SetRunpath, _PATHS),
    st.builds(AddRunpath, _PATHS),
    st.just(RemoveRunpath()),
    st.just(RpathToRunpath()),
)


@dataclass
class Model:
    """What a file says, and what it would say.

    Attributes:
        required: the libraries that versions are required from.
    """

    needed: list[str]
    soname: list[str]
    runpath: list[str]
    rpath: list[str]
    required: list[str] = field(default_factory=list)

    def apply(self, edit: PatchEdit) -> bool:
        """Make an edit; False if it must be refused."""
        match edit:
            case AddNeeded(name, before, first):
                return self._add(name, before, first=first)
            case RemoveNeeded(name):
                if name in self.needed and name in self.required:
                    return False
                self.needed = [each for each in self.needed if each != name]
            case ReplaceNeeded(old, new):
                return self._replace(old, new)
            case SetSoname(name):
                self.soname = [name]
            case SetRunpath(path):
                self.runpath, self.rpath = [path], []
            case AddRunpath(path):
                now = (self.runpath or self.rpath or [""])[0].split(":")
                if path not in now:
                    self.runpath, self.rpath = [":".join([*filter(None, now), path])], []
            case RemoveRunpath():
                self.runpath, self.rpath = [], []
            case RpathToRunpath():
                self.runpath, self.rpath = self.runpath or self.rpath, []
        return True

    def _add(self, name: str, before: str | None, *, first: bool) -> bool:
        if name in self.needed:
            return True
        if before is not None and before not in self.needed:
            return False
        end = 0 if first else len(self.needed)
        self.needed.insert(end if before is None else self.needed.index(before), name)
        return True

    def _replace(self, old: str, new: str) -> bool:
        if old not in self.needed:
            return False
        if old == new:
            return True
        if old in self.required and new in self.required:
            return False
        if new in self.needed:
            self.needed.remove(old)
        else:
            self.needed[self.needed.index(old)] = new
        self.required = [new if each == old else each for each in self.required]
        return True


def _model(path: Path) -> Model:
    now = said(path)
    return Model(now.needed, now.soname, now.runpath, now.rpath, list(now.required))


@contextmanager
def _sample(name: str) -> Iterator[Path]:
    directory = tempfile.mkdtemp()
    try:
        yield copied(name, Path(directory))
    finally:
        shutil.rmtree(directory)


_FILES = [
    "machines/x86_64/libdemo.so",
    "linkers/lld/libdemo.so",
    "linkers/mold/libdep.so.1",
    "shapes/libdemo-rpath.so",
    "shapes/fixed-exe",
    "story/variants/twice/lib/libtorch_hip.so",
    "machines/i386/demo",
    BIG_ENDIAN,
]


@pytest.mark.parametrize("name", _FILES)
@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(st.lists(st.lists(_EDITS, min_size=1, max_size=3), min_size=1, max_size=4))
def test_any_edits_in_any_order(name: str, passes: list[list[PatchEdit]]) -> None:
    with _sample(name) as path:
        _edited(path, passes)


def _edited(path: Path, passes: list[list[PatchEdit]]) -> None:
    """Make some edits, compare with the model after each, and take them back."""
    first, facts, model = path.read_bytes(), outside.facts(path), _model(path)
    for edits in passes:
        before, now = path.read_bytes(), replace(model, needed=list(model.needed))
        if all(now.apply(edit) for edit in edits):
            patched(path, *edits)
            model = now
        else:
            with pytest.raises(PatchError):
                patched(path, *edits)
            assert path.read_bytes() == before
        assert _model(path) == model
        assert outside.facts(path) == facts
    if path.read_bytes() != first:
        undone(path)
    assert path.read_bytes() == first
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("name", _FILES)
@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(
    st.lists(_NAMES, min_size=1, max_size=6, unique=True).flatmap(
        lambda names: st.tuples(st.just(names), st.permutations(names))
    ),
    st.booleans(),
)
def test_adding_and_removing_the_same(
    name: str, names: tuple[list[str], list[str]], first: bool
) -> None:
    with _sample(name) as path:
        before, needed = path.read_bytes(), said(path).needed
        added, removed = ([each for each in some if each not in needed] for some in names)
        for each in added:
            patched(path, AddNeeded(each, first=first))
        assert sorted(said(path).needed) == sorted([*needed, *added])
        for each in removed:
            patched(path, RemoveNeeded(each))
        assert path.read_bytes() == before


_SOURCES = {
    "dep.c": "int dep_data = 3; int dep_call(int n) { return n + dep_data; }",
    "dep.map": "DEP_1.0 { global: *; };",
    "demo.c": "extern int dep_data; int dep_call(int); int *where = &dep_data; "
    "int demo(void) { return dep_call(*where); }",
    "demo.map": "DEMO_1.0 { global: demo; local: *; };",
}


@pytest.fixture(scope="module")
def mips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of 32 bits, big-endian, that requires versions: no fixture is one."""
    compiler = shutil.which("mips-linux-gnu-gcc")
    if compiler is None:
        pytest.skip("mips-linux-gnu-gcc is not installed")
    place = tmp_path_factory.mktemp("mips")
    for name, text in _SOURCES.items():
        (place / name).write_text(text)
    command = [compiler, "-shared", "-fPIC", "-nostdlib"]
    subprocess.run(
        [*command, "dep.c", "-Wl,-soname,libdep.so.1,--version-script,dep.map", "-o", "libdep.so"],
        cwd=place, check=True,
    )  # fmt: skip
    subprocess.run(
        [*command, "demo.c", "libdep.so", "-Wl,-soname,libdemo.so.2,--version-script,demo.map",
         "-Wl,-rpath,/first", "-o", "libdemo.so"],
        cwd=place, check=True,
    )  # fmt: skip
    with (place / "libdemo.so").open("rb") as file:
        assert file.read(6) == b"\x7fELF\x01\x02"
    return place / "libdemo.so"


@pytest.mark.foreign
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(st.lists(st.lists(_EDITS, min_size=1, max_size=3), min_size=1, max_size=4))
def test_a_big_endian_file_of_32_bits(mips: Path, passes: list[list[PatchEdit]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(shutil.copy(mips, directory))
        _edited(path, passes)
