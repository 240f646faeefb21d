"""Libraries that versions are required from: it aborts where NEEDED and Verneed disagree."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from elfaudit.elf import DynamicTag
from elfaudit.errors import ElfFormatError, PatchError
from elfaudit.patch.edits import AddNeeded, RemoveNeeded, ReplaceNeeded, SetRunpath, SetSoname
from elfaudit.patch.verneed import requirements
from tests.elf import judge

from .loading import loaded, loader_says, needs_x86_64
from .outside import said
from .patching import DYNAMIC, X86, copied, image_of, patched, planned, undone

DEMOS = [name for name in DYNAMIC if "libdemo" in name or name.endswith("/demo")]


@pytest.mark.parametrize("name", [each for each in DYNAMIC if "nosections" not in each])
def test_requirements_are_those_that_pyelftools_finds(name: str, tmp_path: Path) -> None:
    path = copied(name, tmp_path)
    with judge.opened(path) as elf:
        libraries = list(dict.fromkeys(each[0] for each in judge.version_needs(elf)))
    assert [each.library.decode() for each in requirements(image_of(path))] == libraries


@pytest.mark.parametrize("name", DEMOS)
def test_replacing_renames_what_versions_are_required_from(name: str, tmp_path: Path) -> None:
    path = copied(name, tmp_path)
    first, old = path.read_bytes(), said(path)
    patched(path, ReplaceNeeded("libdep.so.1", "libother.so.2"))
    now = said(path)
    assert now.needed == [each.replace("libdep.so.1", "libother.so.2") for each in old.needed]
    assert now.required == tuple(
        each.replace("libdep.so.1", "libother.so.2") for each in old.required
    )
    assert b"libother.so.2" in [each.library for each in requirements(image_of(path))]
    patched(path, ReplaceNeeded("libother.so.2", "libdep.so.1"))
    assert path.read_bytes() == first
    patched(path, ReplaceNeeded("libdep.so.1", "libother.so.2"), AddNeeded("libmore.so"))
    undone(path)
    assert path.read_bytes() == first


@pytest.mark.parametrize("name", DEMOS)
def test_removing_is_refused(name: str, tmp_path: Path) -> None:
    path = copied(name, tmp_path)
    first = path.read_bytes()
    with pytest.raises(PatchError, match=r"libdep\.so\.1 cannot be removed: versions are required"):
        planned(path, RemoveNeeded("libdep.so.1"))
    assert path.read_bytes() == first


@needs_x86_64
@pytest.mark.parametrize(
    "name",
    [each for each in DEMOS if each.startswith(("linkers/", "shapes/lib", "machines/x86_64/lib"))],
)
def test_the_loader_takes_the_replacement(name: str, tmp_path: Path) -> None:
    """With the library of the old name gone: nothing may ask for it any more."""
    path = copied(name, tmp_path, "libdemo.so")
    dependency = copied(str(Path(name).parent / "libdep.so.1"), tmp_path, "libother.so.2")
    patched(path, ReplaceNeeded("libdep.so.1", "libother.so.2"))
    assert "libother.so.2" in loaded(path, "new_api" if "new_api" in _names(path) else "dep_call")
    patched(dependency, SetSoname("libother.so.2"))
    assert "libother.so.2" in loaded(path)
    (tmp_path / "sub").mkdir()
    shutil.move(dependency, tmp_path / "sub/libother.so.2")
    assert "libother.so.2: cannot open shared object" in loader_says(path)
    patched(path, SetRunpath("$ORIGIN/sub"))
    assert "libother.so.2" in loaded(path)
    assert said(path).rpath == []


def _names(path: Path) -> set[str]:
    with judge.opened(path) as elf:
        return {row[0] for row in judge.symbols(elf)}


@needs_x86_64
def test_a_chain_of_replacements_in_one_pass(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    copied("linkers/bfd/libdep.so.1", tmp_path, "c.so")
    patched(path, ReplaceNeeded("libdep.so.1", "b.so"), ReplaceNeeded("b.so", "c.so"))
    assert (said(path).needed, said(path).required) == (["c.so"], ("c.so",))
    assert "c.so" in loaded(path)


def test_there_and_back_in_one_pass_is_nothing(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    plan = planned(path, ReplaceNeeded("libdep.so.1", "b.so"), ReplaceNeeded("b.so", "libdep.so.1"))
    assert plan.change.renamed == ()
    patched(path, ReplaceNeeded("libdep.so.1", "b.so"), ReplaceNeeded("b.so", "libdep.so.1"))
    assert (said(path).needed, said(path).required) == (["libdep.so.1"], ("libdep.so.1",))


@needs_x86_64
def test_two_that_change_places(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    patched(copied("linkers/bfd/libdep.so.1", tmp_path, "libx.so"), SetSoname("libx.so"))
    copied("shapes/libempty.so", tmp_path, "libdep.so.1")
    patched(path, AddNeeded("libx.so"))
    patched(
        path, ReplaceNeeded("libx.so", "t"), ReplaceNeeded("libdep.so.1", "libx.so"),
        ReplaceNeeded("t", "libdep.so.1"),
    )  # fmt: skip
    assert said(path).needed == ["libx.so", "libdep.so.1"]
    assert said(path).required == ("libx.so",)
    assert {"libx.so", "libdep.so.1"} <= loaded(path)


@needs_x86_64
def test_replaced_by_one_that_is_listed_as_well(tmp_path: Path) -> None:
    """No versions were required from that one: they are now, and it is listed once."""
    path = copied(X86, tmp_path)
    copied("linkers/bfd/libdep.so.1", tmp_path, "libx.so")
    patched(path, AddNeeded("libx.so"))
    patched(path, ReplaceNeeded("libdep.so.1", "libx.so"))
    assert (said(path).needed, said(path).required) == (["libx.so"], ("libx.so",))
    assert "libx.so" in loaded(path)


@pytest.mark.parametrize("name", [each for each in DEMOS if each.endswith("/demo")])
def test_two_requirements_do_not_become_one(name: str, tmp_path: Path) -> None:
    path = copied(name, tmp_path)
    libraries = said(path).required
    assert len(libraries) == 2
    for old, new in (libraries, reversed(libraries)):
        with pytest.raises(PatchError, match="versions are required from both"):
            planned(path, ReplaceNeeded(old, new))


@needs_x86_64
def test_what_the_refusal_of_removing_saves_one_from(tmp_path: Path) -> None:
    """The entry taken away behind the editor's back: the loader aborts."""
    path = copied(X86, tmp_path)
    copied("linkers/bfd/libdep.so.1", tmp_path)
    assert loader_says(path) == ""
    image, data = image_of(path), bytearray(path.read_bytes())
    row = next(n for n, each in enumerate(image.rows) if each.tag == DynamicTag.NEEDED)
    data[image.dynamic.offset + 16 * row] = 21  # DT_DEBUG, which says nothing in a library
    path.write_bytes(data)
    assert "Assertion `needed != NULL' failed" in loader_says(path)


def _with_verneed(path: Path, address: int | None, count: int | None) -> Path:
    """A file with other numbers in DT_VERNEED and DT_VERNEEDNUM."""
    image, data = image_of(path), bytearray(path.read_bytes())
    values = {DynamicTag.VERNEED: address, DynamicTag.VERNEEDNUM: count}
    for number, row in enumerate(image.rows):
        value = next((v for tag, v in values.items() if tag == row.tag), None)
        if value is not None:
            place = image.dynamic.offset + 16 * number + 8
            data[place : place + 8] = value.to_bytes(8, "little")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("address", "count", "problem"),
    [
        (0x7000000000, None, "DT_VERNEED at .* lies in no segment"),
        (None, 1 << 40, "are more than any real file has"),
        (8, None, "vn_version at offset 0x8: is 0, the only"),
    ],
)
def test_requirements_that_lie(
    address: int | None, count: int | None, problem: str, tmp_path: Path
) -> None:
    path = _with_verneed(copied(X86, tmp_path), address, count)
    with pytest.raises(ElfFormatError, match=problem) as caught:
        planned(path, AddNeeded("a"))
    assert str(path) in str(caught.value)


def test_requirements_that_are_not_counted_are_none(tmp_path: Path) -> None:
    assert requirements(image_of(_with_verneed(copied(X86, tmp_path), None, 0))) == ()
