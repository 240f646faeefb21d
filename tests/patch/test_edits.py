"""Each edit: what other readers find afterwards, what it says, and the way back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from elfaudit.errors import PatchError
from elfaudit.patch.edits import (
    AddNeeded,
    AddRunpath,
    ClearExecstack,
    PatchEdit,
    RemoveNeeded,
    RemoveRunpath,
    ReplaceNeeded,
    RpathToRunpath,
    SetRunpath,
    SetSoname,
)
from tests.elf import judge

from . import outside
from .outside import Said, said
from .patching import X86, copied, every_dynamic_fixture, patched, planned, undone

NEW = "libquite_new_and_long.so.17"


Expected = Callable[[Said], dict[str, list[str]]]

EDITS: dict[str, tuple[PatchEdit, Expected]] = {
    "add": (AddNeeded(NEW), lambda old: {"DT_NEEDED": [*old.needed, NEW]}),
    "first": (AddNeeded(NEW, first=True), lambda old: {"DT_NEEDED": [NEW, *old.needed]}),
    "soname": (SetSoname("libother.so.3"), lambda _: {"DT_SONAME": ["libother.so.3"]}),
    "runpath": (
        SetRunpath("/opt/somewhere/lib"),
        lambda _: {"DT_RUNPATH": ["/opt/somewhere/lib"], "DT_RPATH": []},
    ),
    "add-runpath": (
        AddRunpath("/opt/more"),
        lambda old: {
            "DT_RUNPATH": [":".join([*(old.runpath or old.rpath), "/opt/more"])],
            "DT_RPATH": [],
        },
    ),
    "remove-runpath": (RemoveRunpath(), lambda _: {"DT_RUNPATH": [], "DT_RPATH": []}),
    "rpath-to-runpath": (
        RpathToRunpath(),
        lambda old: {"DT_RUNPATH": old.runpath or old.rpath, "DT_RPATH": []},
    ),
    "clear-execstack": (ClearExecstack(), lambda _: {}),
}
every_edit = pytest.mark.parametrize("kind", EDITS)


@every_dynamic_fixture
@every_edit
def test_every_edit_of_every_fixture(name: str, kind: str, tmp_path: Path, readelf: str) -> None:
    """Nothing but what was asked is different for pyelftools, LIEF, readelf; and it goes back."""
    path = copied(name, tmp_path)
    first, old, facts = path.read_bytes(), said(path), outside.facts(path)
    warnings = outside.readelf_warnings(readelf, path)
    edit, expected = EDITS[kind]
    wanted = expected(old)
    plan = patched(path, edit)
    assert plan.change.told
    now = said(path)
    for tag in ("DT_NEEDED", "DT_SONAME", "DT_RPATH", "DT_RUNPATH"):
        assert now.all(tag) == wanted.get(tag, old.all(tag)), tag
    assert now.required == old.required
    assert not now.execstack if kind == "clear-execstack" else now.execstack == old.execstack
    assert outside.facts(path) == facts
    told = outside.readelf_texts(readelf, path)
    assert told.get("DT_NEEDED", []) == outside.lief_needed(path) == now.needed
    assert set(outside.readelf_warnings(readelf, path)) <= set(warnings)
    if plan.is_needed:
        assert path.read_bytes() != first
        undone(path)
    assert path.read_bytes() == first


@every_dynamic_fixture
def test_the_first_edits_do_not_add_up(name: str, tmp_path: Path) -> None:
    """The same edits make the same file, whether in one patch or in several."""
    path, other = copied(name, tmp_path), copied(name, tmp_path, "other")
    first = path.read_bytes()
    edits = [AddNeeded(f"lib{letter}.so.1") for letter in "abcdefgh"]
    patched(other, *edits)
    for edit in edits:
        patched(path, edit)
    assert path.read_bytes() == other.read_bytes()
    for edit in edits[1:]:
        patched(path, RemoveNeeded(edit.name))
    alone = copied(name, tmp_path, "alone")
    patched(alone, edits[0])
    assert path.read_bytes() == alone.read_bytes()
    patched(path, RemoveNeeded(edits[0].name))
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("name", "edit", "told"),
    [
        (X86, AddNeeded("libdep.so.1"), "libdep.so.1 is listed already"),
        (X86, AddNeeded("libdep.so.1", first=True), "libdep.so.1 is listed already"),
        (X86, RemoveNeeded("libno.so"), "libno.so is not listed"),
        (X86, ReplaceNeeded("libdep.so.1", "libdep.so.1"), "libdep.so.1 is listed already"),
        (X86, SetSoname("libdemo.so.2"), "the SONAME is libdemo.so.2 already"),
        (X86, SetRunpath("$ORIGIN:$ORIGIN/../other"),
         "the RUNPATH is $ORIGIN:$ORIGIN/../other already"),
        (X86, AddRunpath("$ORIGIN"), "$ORIGIN is in the RUNPATH already"),
        (X86, AddRunpath("$ORIGIN/../other"), "$ORIGIN/../other is in the RUNPATH already"),
        ("shapes/libempty.so", RemoveRunpath(), "there is no RUNPATH"),
        (X86, RpathToRunpath(), "there is no RPATH"),
        (X86, ClearExecstack(), "the stack is not executable already"),
    ],
)  # fmt: skip
def test_what_is_so_already_is_told_and_left(
    name: str, edit: PatchEdit, told: str, tmp_path: Path
) -> None:
    path = copied(name, tmp_path)
    plan = planned(path, edit)
    assert not plan.is_needed
    assert plan.change.told == (told,)
    assert (plan.size, plan.writes, plan.how) == (path.stat().st_size, (), ())


@pytest.mark.parametrize(
    ("name", "edit", "told"),
    [
        (X86, AddNeeded("a.so"), "a.so is added"),
        ("story/site-packages/torch/lib/libtorch_hip.so", RemoveNeeded("libc10.so"),
         "libc10.so is removed"),
        (X86, ReplaceNeeded("libdep.so.1", "b.so"), "b.so is listed in the place of libdep.so.1"),
        (X86, SetSoname("c.so"), "the SONAME is c.so"),
        (X86, SetRunpath("/d"), "the RUNPATH is /d"),
        ("shapes/libdemo-rpath.so", RemoveRunpath(),
         "the path $ORIGIN:$ORIGIN/../other is removed"),
        ("shapes/libdemo-rpath.so", RpathToRunpath(),
         "the RPATH $ORIGIN:$ORIGIN/../other is the RUNPATH"),
        ("shapes/libdemo-rpath.so", SetRunpath("$ORIGIN:$ORIGIN/../other"),
         "the RUNPATH is $ORIGIN:$ORIGIN/../other"),
        ("shapes/libdemo-execstack.so", ClearExecstack(), "the stack is not executable any more"),
    ],
)  # fmt: skip
def test_what_was_done_is_told(name: str, edit: PatchEdit, told: str, tmp_path: Path) -> None:
    plan = patched(copied(name, tmp_path), edit)
    assert plan.is_needed
    assert plan.change.told == (told,)


def _listed(path: Path, *edits: PatchEdit) -> list[str]:
    patched(path, *edits)
    return said(path).needed


HIP = "story/variants/twice/lib/libtorch_hip.so"
HIP_NEEDS = ["libtorch_cpu.so", "libc10.so", "librocm_smi64.so.1", "libamd_smi.so.26"]


def test_order(tmp_path: Path) -> None:
    path = copied(HIP, tmp_path)
    cpu, c10, rocm, amd = HIP_NEEDS
    assert said(path).needed == HIP_NEEDS
    assert _listed(path, AddNeeded("l")) == [cpu, c10, rocm, amd, "l"]
    assert _listed(path, AddNeeded("f", first=True)) == ["f", cpu, c10, rocm, amd, "l"]
    assert _listed(path, AddNeeded("b", before=rocm)) == ["f", cpu, c10, "b", rocm, amd, "l"]
    assert _listed(path, AddNeeded("0", before="f")) == ["0", "f", cpu, c10, "b", rocm, amd, "l"]
    now = _listed(path, RemoveNeeded(cpu), ReplaceNeeded(rocm, "r"), AddNeeded(cpu))
    assert now == ["0", "f", c10, "b", "r", amd, "l", cpu]
    # One pass: each edit sees what those before it made.
    other = copied(HIP, tmp_path, "other")
    assert _listed(other, AddNeeded("x"), AddNeeded("y", before="x")) == [*HIP_NEEDS, "y", "x"]


def test_before_what_is_not_there_is_refused(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    with pytest.raises(PatchError, match=r"libdemo\.so: libno\.so is not listed, nothing can"):
        planned(path, AddNeeded("a", before="libno.so"))
    with pytest.raises(PatchError, match=r"libdemo\.so: libno\.so is not listed, there is nothing"):
        planned(path, ReplaceNeeded("libno.so", "a"))


def test_first_entries_of_a_file_that_needs_nothing(tmp_path: Path) -> None:
    path = copied("shapes/libempty.so", tmp_path)
    assert said(path).needed == []
    assert _listed(path, AddNeeded("a"), AddNeeded("b"), AddNeeded("c", first=True)) == [
        "c", "a", "b",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("edits", "needed"),
    [
        # what was listed twice is replaced, and removed, as one
        ([ReplaceNeeded("libc10.so", "n")], ["libtorch_cpu.so", "n", *HIP_NEEDS[2:]]),
        ([ReplaceNeeded("libc10.so", "libamd_smi.so.26")],
         ["libtorch_cpu.so", "librocm_smi64.so.1", "libamd_smi.so.26"]),
        ([RemoveNeeded("libc10.so"), RemoveNeeded("libtorch_cpu.so")], HIP_NEEDS[2:]),
    ],
)  # fmt: skip
def test_replaced_and_removed(edits: list[PatchEdit], needed: list[str], tmp_path: Path) -> None:
    assert _listed(copied(HIP, tmp_path), *edits) == needed


def test_duplicates_are_one(tmp_path: Path) -> None:
    """A library that stands in the file twice (its entry written over another one's here)."""

    def twice() -> Path:
        path = copied(HIP, tmp_path)
        data = bytearray(path.read_bytes())
        with judge.opened(path) as elf:
            (dynamic,) = elf.iter_segments("PT_DYNAMIC")
            offset = dynamic["p_offset"]
        data[offset + 32 : offset + 48] = data[offset : offset + 16]
        path.write_bytes(data)
        assert said(path).needed == ["libtorch_cpu.so", "libc10.so", "libtorch_cpu.so",
                                     "libamd_smi.so.26"]  # fmt: skip
        return path

    assert _listed(twice(), RemoveNeeded("libtorch_cpu.so")) == ["libc10.so", "libamd_smi.so.26"]
    assert _listed(twice(), ReplaceNeeded("libtorch_cpu.so", "x")) == [
        "x", "libc10.so", "libamd_smi.so.26",
    ]  # fmt: skip
    assert _listed(twice(), ReplaceNeeded("libtorch_cpu.so", "libc10.so")) == [
        "libc10.so", "libamd_smi.so.26",
    ]  # fmt: skip
    path = twice()
    plan = planned(path, AddNeeded("libtorch_cpu.so"))
    assert not plan.is_needed


def test_paths(tmp_path: Path) -> None:
    """RPATH and RUNPATH, one out of the other; pyelftools sees one of them at most."""
    path = copied("shapes/libdemo-rpath.so", tmp_path)
    both = "$ORIGIN:$ORIGIN/../other"
    first = path.read_bytes()
    assert (said(path).rpath, said(path).runpath) == ([both], [])
    plan = patched(path, AddRunpath("$ORIGIN"))
    assert plan.change.told == ("$ORIGIN is in the RPATH already",)
    assert path.read_bytes() == first
    steps: list[tuple[PatchEdit, list[str]]] = [
        (AddRunpath("/a"), [f"{both}:/a"]),
        (AddRunpath("/b"), [f"{both}:/a:/b"]),
        (SetRunpath("/c:/d"), ["/c:/d"]),
        (RemoveRunpath(), []),
        (AddRunpath("/e"), ["/e"]),
    ]
    for edit, runpath in steps:
        patched(path, edit)
        assert (said(path).rpath, said(path).runpath) == ([], runpath)
    undone(path)
    assert path.read_bytes() == first


def test_rpath_beside_a_runpath_counts_for_nothing(tmp_path: Path) -> None:
    """A loader takes no notice of RPATH then, so it does not take the RUNPATH's place."""
    path = copied(X86, tmp_path)
    data = bytearray(path.read_bytes())
    with judge.opened(path) as elf:
        (dynamic,) = elf.iter_segments("PT_DYNAMIC")
        offset, entries = dynamic["p_offset"], judge.dynamic_entries(elf)
    row = [tag for tag, _ in entries].index(14)  # DT_SONAME becomes an RPATH of that name
    data[offset + 16 * row] = 15
    path.write_bytes(data)
    assert said(path).rpath == ["libdemo.so.2"]
    plan = patched(path, RpathToRunpath())
    assert plan.change.told == ("the RPATH libdemo.so.2, which counts for nothing, is removed",)
    assert (said(path).rpath, said(path).runpath) == ([], ["$ORIGIN:$ORIGIN/../other"])


@pytest.mark.parametrize(
    "make",
    [
        AddNeeded, RemoveNeeded, SetSoname, SetRunpath, AddRunpath,
        lambda text: AddNeeded("a", before=text),
        lambda text: ReplaceNeeded(text, "a"), lambda text: ReplaceNeeded("libdep.so.1", text),
    ],
)  # fmt: skip
@pytest.mark.parametrize("text", ["", "a\0b", "\0", "\ud800"])
def test_names_that_no_file_can_hold(
    make: Callable[[str], PatchEdit], text: str, tmp_path: Path
) -> None:
    path = copied(X86, tmp_path)
    with pytest.raises(PatchError, match="is no name that a dynamic section can hold") as caught:
        planned(path, make(text))
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("raw", [b"lib\xff\xfe.so", b"lib\xc3\xa4.so", b"a b].so", b"x" * 5000])
def test_names_of_any_bytes(raw: bytes, tmp_path: Path) -> None:
    """Names are bytes: what is no UTF-8 is kept as it is, in Python as surrogates."""
    name = os.fsdecode(raw)
    path = copied(X86, tmp_path)
    first = path.read_bytes()
    patched(path, AddNeeded(name))
    assert raw + b"\0" in path.read_bytes()
    assert said(path).needed == ["libdep.so.1", raw.decode("utf-8", "replace")]
    assert planned(path, AddNeeded(name)).change.told == (f"{name} is listed already",)
    patched(path, AddNeeded("b", before=name))
    assert said(path).needed[1] == "b"
    patched(path, ReplaceNeeded(name, "c"))
    assert said(path).needed == ["libdep.so.1", "b", "c"]
    undone(path)
    assert path.read_bytes() == first


def test_several_edits_in_one_pass(tmp_path: Path) -> None:
    path = copied("shapes/libdemo-rpath.so", tmp_path)
    first = path.read_bytes()
    plan = patched(
        path, AddNeeded("a"), SetSoname("s"), RpathToRunpath(), AddRunpath("/r"),
        ReplaceNeeded("libdep.so.1", "d"), AddNeeded("a"),
    )  # fmt: skip
    now = said(path)
    assert (now.needed, now.soname, now.required) == (["d", "a"], ["s"], ("d",))
    assert now.runpath == ["$ORIGIN:$ORIGIN/../other:/r"]
    assert len(plan.change.told) == 6
    undone(path)
    assert path.read_bytes() == first
