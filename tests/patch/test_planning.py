"""Plans: what they hold before anything is written, and which state of a file they begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.elf.reader import Reader
from elfaudit.errors import ElfAuditError, ElfFormatError, PatchError
from elfaudit.patch.edits import (
    AddNeeded,
    ClearExecstack,
    RemoveNeeded,
    RemoveRunpath,
    ReplaceNeeded,
    RpathToRunpath,
    SetRunpath,
    SetSoname,
)
from elfaudit.patch.overwritten import OverwrittenStream
from elfaudit.patch.planning import Plan, plan, plan_undo
from elfaudit.stream import FileStream

from . import outside
from .outside import said
from .patching import BIG_ENDIAN, X86, copied, every_dynamic_fixture, patched, planned, undone


def test_a_plan_changes_nothing(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    before, status = path.read_bytes(), path.stat()
    made = planned(path, AddNeeded("a"))
    assert made.is_needed
    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns == status.st_mtime_ns
    assert list(tmp_path.iterdir()) == [path]


def _after(path: Path, made: Plan) -> bytes:
    reader = Reader(FileStream(str(path)), str(path))
    return OverwrittenStream(reader, made.size, made.writes, made.kept).read()


@every_dynamic_fixture
def test_what_is_planned_is_what_is_written(name: str, tmp_path: Path) -> None:
    """On a file in its first state, and on one that was patched before."""
    path = copied(name, tmp_path)
    for edit in (AddNeeded("libone.so"), SetSoname("libtwo.so"), RemoveNeeded("libone.so")):
        expected = _after(path, planned(path, edit))
        patched(path, edit)
        assert path.read_bytes() == expected
    expected = _after(path, plan_undo(FileStream(str(path)), str(path)))
    undone(path)
    assert path.read_bytes() == expected


@every_dynamic_fixture
def test_each_edit_and_its_inverse(name: str, tmp_path: Path) -> None:
    path = copied(name, tmp_path)
    first, old = path.read_bytes(), said(path)
    patched(path, AddNeeded("liba.so"), AddNeeded("libb.so", first=True))
    patched(path, RemoveNeeded("liba.so"))
    patched(path, RemoveNeeded("libb.so"))
    assert path.read_bytes() == first
    if old.soname:
        patched(path, SetSoname("libother.so"))
        patched(path, SetSoname(old.soname[0]))
        assert path.read_bytes() == first
    if old.runpath:
        patched(path, SetRunpath("/other"))
        patched(path, SetRunpath(old.runpath[0]))
        assert path.read_bytes() == first
    for needed in old.needed:
        patched(path, ReplaceNeeded(needed, "libother.so"))
        patched(path, ReplaceNeeded("libother.so", needed))
        assert path.read_bytes() == first


def test_what_cannot_be_taken_back_by_an_edit_is_by_undo(tmp_path: Path) -> None:
    path = copied("shapes/libdemo-execstack.so", tmp_path)
    first = path.read_bytes()
    patched(path, ClearExecstack())
    assert said(path).execstack is False
    patched(path, AddNeeded("a"))
    assert said(path).execstack is False
    patched(path, RemoveNeeded("a"), RemoveRunpath())
    assert said(path).execstack is False
    assert not planned(path, ClearExecstack()).is_needed
    assert undone(path).change.told == ("the file is what it was before it was patched",)
    assert path.read_bytes() == first
    assert said(path).execstack is True


def test_only_the_stack(tmp_path: Path) -> None:
    """One byte differs, and the way back follows."""
    path = copied("shapes/libdemo-execstack.so", tmp_path)
    first = path.read_bytes()
    patched(path, ClearExecstack())
    now = path.read_bytes()
    assert sum(a != b for a, b in zip(first, now, strict=False)) == 1
    assert 0 < len(now) - len(first) < 100


def test_rpath_through_several_patches(tmp_path: Path) -> None:
    path = copied("shapes/libdemo-rpath.so", tmp_path)
    first, facts = path.read_bytes(), outside.facts(path)
    patched(path, RpathToRunpath())
    patched(path, AddNeeded("a"))
    patched(path, SetRunpath("/x"))
    patched(path, RemoveNeeded("a"))
    assert (said(path).rpath, said(path).runpath) == ([], ["/x"])
    assert outside.facts(path) == facts
    undone(path)
    assert path.read_bytes() == first


def test_a_later_patch_forgets_where_the_first_one_put_things(tmp_path: Path) -> None:
    """Twenty long names, then one short one: the file is as large as with the short one alone."""
    path, alone = copied(BIG_ENDIAN, tmp_path), copied(BIG_ENDIAN, tmp_path, "alone")
    many = [AddNeeded(f"lib{n}{'x' * 200}.so") for n in range(20)]
    patched(path, *many, AddNeeded("s"))
    patched(path, *(RemoveNeeded(each.name) for each in many))
    patched(alone, AddNeeded("s"))
    assert path.read_bytes() == alone.read_bytes()


def test_nothing_to_do(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    made = plan(FileStream(str(path)), "the name", [])
    assert not made.is_needed
    assert (made.name, made.size, made.change.told) == ("the name", path.stat().st_size, ())


@pytest.mark.parametrize("name", ["shapes/static-exe", "shapes/relocatable.o"])
def test_what_has_no_dynamic_section(name: str, tmp_path: Path) -> None:
    path = copied(name, tmp_path)
    with pytest.raises(ElfFormatError, match=r"PT_DYNAMIC .* has no dynamic section") as caught:
        planned(path, AddNeeded("a"))
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("content", [b"", b"\x7fEL", b"MZ", b"PK\3\4", b"x" * 300, b"\x7fELF"])
def test_what_is_no_elf_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ElfAuditError) as caught:
        planned(path, AddNeeded("a"))
    assert str(caught.value).startswith(str(path))
    with pytest.raises(ElfAuditError) as caught:
        undone(path)
    assert str(caught.value).startswith(str(path))


def test_the_refusal_of_one_edit_refuses_all(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    first = path.read_bytes()
    with pytest.raises(PatchError):
        patched(path, AddNeeded("a"), RemoveNeeded("libdep.so.1"))
    assert path.read_bytes() == first
