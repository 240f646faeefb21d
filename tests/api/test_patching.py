"""``plan_patch`` and its kin on files: what they say will happen is what the real loader does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

import elfaudit
from elfaudit import (
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
    Verdict,
    apply_patch,
    plan_fixes,
    plan_patch,
    undo_patch,
)
from tests.oracle.loader import dlopen
from tests.oracle.workshop import Workshop

pytestmark = pytest.mark.oracle

ONE, TWO = "int shared(void) { return 1; }", "int shared(void) { return 2; }"
CALLS = "int shared(void); int user(void) { return shared(); }"


def dynamic(path: Path) -> dict[str, list[str]]:
    """The texts of the dynamic section, as readelf has them."""
    done = subprocess.run(
        ["readelf", "-dW", path], capture_output=True, text=True, check=True, env={"LC_ALL": "C"}
    )
    assert not done.stderr
    found: dict[str, list[str]] = {"NEEDED": [], "SONAME": [], "RPATH": [], "RUNPATH": []}
    for kind, text in re.findall(r"\((\w+)\)\s+[\w ]+: \[(.*)\]", done.stdout):
        found[kind].append(text)
    return found


def has_execstack(path: Path) -> bool:
    done = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True, check=True)
    (flags,) = re.findall(r"GNU_STACK .* (RWE?) +0x", done.stdout)
    return bool(flags == "RWE")


def state(directory: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every file below a directory: bytes, inode and time."""
    found = {}
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        status = path.stat()
        found[str(path)] = (path.read_bytes(), status.st_ino, status.st_mtime_ns)
    return found


def patch(path: Path, *edits: PatchEdit, **options: object) -> elfaudit.PatchPlan:
    """Plan without looking for the names, and carry out."""
    plan = plan_patch(path, edits, check=bool(options.pop("check", False)), **options)  # type: ignore[arg-type]
    apply_patch(plan)
    return plan


@pytest.fixture
def library(workshop: Workshop) -> Path:
    """Lists two libraries that are there, and finds them in its own directory."""
    workshop.library("liba.so.1", "int a(void) { return 1; }")
    workshop.library("libb.so.1", "int b(void) { return 2; }")
    workshop.library("libc.so.1x", "int c(void) { return 3; }")
    return workshop.library(
        "libt.so",
        "int a(void), b(void); int t(void) { return a() + b(); }",
        needed=["liba.so.1", "libb.so.1"],
        runpath="$ORIGIN",
    )


@pytest.mark.usefixtures("readelf")
@pytest.mark.parametrize(
    ("edits", "kind", "texts"),
    [
        ([AddNeeded("libc.so.1x")], "NEEDED", ["liba.so.1", "libb.so.1", "libc.so.1x"]),
        (
            [AddNeeded("libc.so.1x", before="libb.so.1")],
            "NEEDED",
            ["liba.so.1", "libc.so.1x", "libb.so.1"],
        ),
        (
            [AddNeeded("libc.so.1x", first=True)],
            "NEEDED",
            ["libc.so.1x", "liba.so.1", "libb.so.1"],
        ),
        ([RemoveNeeded("liba.so.1"), AddNeeded("liba.so.1")], "NEEDED", ["libb.so.1", "liba.so.1"]),
        (
            [ReplaceNeeded("liba.so.1", "libc.so.1x"), AddNeeded("liba.so.1")],
            "NEEDED",
            ["libc.so.1x", "libb.so.1", "liba.so.1"],
        ),
        ([SetSoname("libother.so.7")], "SONAME", ["libother.so.7"]),
        ([SetRunpath("$ORIGIN:/opt/x/lib")], "RUNPATH", ["$ORIGIN:/opt/x/lib"]),
        ([AddRunpath("/opt/x/lib")], "RUNPATH", ["$ORIGIN:/opt/x/lib"]),
    ],
)
def test_every_edit_is_what_readelf_says_and_the_loader_takes_it(
    library: Path, host: Path, edits: list[PatchEdit], kind: str, texts: list[str]
) -> None:
    before, was = dynamic(library), library.read_bytes()
    plan = patch(library, *edits)
    after = dynamic(library)
    assert after[kind] == texts
    assert {k: v for k, v in after.items() if k != kind} == {
        k: v for k, v in before.items() if k != kind
    }
    answer = dlopen(host, library)
    assert answer.error is None
    loaded = [Path(each).name for each in answer.loaded if each.startswith(str(library.parent))]
    assert loaded[1:] == after["NEEDED"]
    (told,) = plan.files
    assert told.new_size == library.stat().st_size
    assert told.reversible
    apply_patch(undo_patch(library))
    assert library.read_bytes() == was


def test_paths_can_be_made_runpath_and_taken_away(
    workshop: Workshop, host: Path, readelf: str
) -> None:
    dep = workshop.library("dir/libdep.so.1")
    target = workshop.library("libt.so", needed=["libdep.so.1"], rpath="$ORIGIN/dir")
    patch(target, RpathToRunpath())
    assert (dynamic(target)["RPATH"], dynamic(target)["RUNPATH"]) == ([], ["$ORIGIN/dir"])
    # A RUNPATH comes behind LD_LIBRARY_PATH, an RPATH before it: now the other one is found.
    other = workshop.library("other/libdep.so.1")
    assert str(other) in dlopen(host, target, library_path=str(other.parent)).objects
    assert str(dep) in dlopen(host, target).objects
    patch(target, RemoveRunpath())
    assert (dynamic(target)["RPATH"], dynamic(target)["RUNPATH"]) == ([], [])
    assert "libdep.so.1: cannot open" in str(dlopen(host, target).error)


def test_an_executable_stack_is_not_asked_for_any_more(workshop: Workshop, readelf: str) -> None:
    target = workshop.library("libt.so", flags=["-Wl,-z,execstack"])
    was = target.read_bytes()
    assert has_execstack(target)
    patch(target, ClearExecstack())
    assert not has_execstack(target)
    assert not plan_patch(target, [ClearExecstack()], check=False).needed
    apply_patch(undo_patch(target))
    assert target.read_bytes() == was


def test_any_number_of_edits_in_one_pass(library: Path, host: Path, readelf: str) -> None:
    patch(
        library,
        RemoveNeeded("liba.so.1"),
        AddNeeded("liba.so.1"),
        AddNeeded("libc.so.1x", first=True),
        SetSoname("libnew.so.1"),
        AddRunpath("/nowhere/at/all"),
    )
    found = dynamic(library)
    assert found["NEEDED"] == ["libc.so.1x", "libb.so.1", "liba.so.1"]
    assert (found["SONAME"], found["RUNPATH"]) == (["libnew.so.1"], ["$ORIGIN:/nowhere/at/all"])
    assert dlopen(host, library).error is None


def test_what_is_there_already_is_nothing_to_do(library: Path) -> None:
    before = state(library.parent)
    plan = plan_patch(library, [AddNeeded("liba.so.1")])
    assert not plan.needed
    assert plan.files[0].done == ("liba.so.1 is listed already",)
    assert plan.files[0].effects is None
    assert apply_patch(plan, backup=".orig").backups == ()
    assert state(library.parent) == before


def test_a_plan_writes_nothing(library: Path) -> None:
    before = state(library.parent)
    plan = plan_patch(library, [AddNeeded("libc.so.1x"), SetSoname("x")])
    assert plan.needed
    assert plan.files[0].effects is not None
    assert state(library.parent) == before
    with pytest.raises(elfaudit.PatchError, match="carries no way back"):
        undo_patch(library)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (ReplaceNeeded("libabsent.so", "libc.so.1x"), "libabsent.so is not listed"),
        (AddNeeded("libc.so.1x", before="libabsent.so"), "libabsent.so is not listed"),
        (AddNeeded(""), "is no name that a dynamic section can hold"),
        (SetRunpath("a\0b"), "is no name that a dynamic section can hold"),
    ],
)
def test_what_cannot_be_done_is_refused(library: Path, edit: PatchEdit, said: str) -> None:
    before = state(library.parent)
    with pytest.raises(elfaudit.PatchError, match=said):
        plan_patch(library, [edit], check=False)
    assert state(library.parent) == before


def test_nothing_to_change_is_no_request(library: Path) -> None:
    with pytest.raises(elfaudit.RequestError, match="say what to change"):
        plan_patch(library, [])
    with pytest.raises(elfaudit.RequestError, match="no such edit"):
        plan_patch(library, [elfaudit.Edit("remove-needed", str(library), "x")])
    with pytest.raises(elfaudit.RequestError, match=r"has no x\.so in it"):
        plan_patch(library, [SetSoname("x")], members=["x.so"])
    with pytest.raises(elfaudit.RequestError, match="only a wheel"):
        plan_patch(library, [SetSoname("x")], build_tag="1")


def test_a_file_that_changed_since_the_plan_is_refused(library: Path) -> None:
    plan = plan_patch(library, [AddNeeded("libc.so.1x")], check=False)
    other = bytearray(library.read_bytes())
    other[-1] ^= 1
    library.write_bytes(other)
    with pytest.raises(elfaudit.PatchError, match="has changed since the patch was planned"):
        apply_patch(plan)
    assert library.read_bytes() == other


# --- where the result goes ---


def test_the_result_can_go_elsewhere(library: Path, host: Path) -> None:
    before = state(library.parent)
    plan = plan_patch(library, [AddNeeded("libc.so.1x")], check=False)
    file = library.parent / "new.so"
    assert apply_patch(plan, output=str(file)).paths == (str(file),)
    assert dlopen(host, file).error is None
    folder = str(library.parent / "out/deep/")
    (written,) = apply_patch(plan, output=folder + "/").paths
    assert Path(written).read_bytes() == file.read_bytes()
    assert written == f"{folder}/libt.so"
    assert {k: v for k, v in state(library.parent).items() if k in before} == before


def test_what_is_written_over_is_backed_up_and_no_backup_is_lost(library: Path) -> None:
    was = library.read_bytes()
    plan = plan_patch(library, [AddNeeded("libc.so.1x")], check=False)
    assert apply_patch(plan, backup=".orig").backups == (f"{library}.orig",)
    assert Path(f"{library}.orig").read_bytes() == was
    patched = library.read_bytes()
    again = plan_patch(library, [SetSoname("y")], check=False)
    with pytest.raises(elfaudit.SourceError, match="is there already, and no backup"):
        apply_patch(again, backup=".orig")
    assert library.read_bytes() == patched
    # Also what the result is written over elsewhere, though the file itself needs no change.
    other = library.parent / "other.so"
    other.write_bytes(b"mine")
    nothing = plan_patch(library, [AddNeeded("libc.so.1x")], check=False)
    assert not nothing.needed
    assert apply_patch(nothing, output=str(other), backup="~").backups == (f"{other}~",)
    assert Path(f"{other}~").read_bytes() == b"mine"
    assert other.read_bytes() == patched


def test_mode_times_and_links_are_kept(library: Path) -> None:
    library.chmod(0o750)
    os.utime(library, ns=(10**18, 10**18))
    link = library.parent / "link.so"
    link.symlink_to("libt.so")
    plan = plan_patch(link, [AddNeeded("libc.so.1x")], check=False)
    apply_patch(plan, keep_times=True)
    assert link.is_symlink()
    status = library.stat()
    assert (status.st_mode & 0o7777, status.st_mtime_ns) == (0o750, 10**18)
    apply_patch(plan_patch(library, [SetSoname("y")], check=False))
    assert library.stat().st_mtime_ns != 10**18


def test_a_result_elsewhere_belongs_to_whoever_writes_it(library: Path) -> None:
    """In place it stays whose it was, set-user-ID bit and all; a copy must not run as somebody."""
    me = os.geteuid()
    if me != 0:
        pytest.skip("only root can give files away")
    os.chown(library, 12345, 12345)
    library.chmod(0o4755)
    plan = plan_patch(library, [SetSoname("x")], check=False)
    (other,) = apply_patch(plan, output=str(library.parent / "other.so")).paths
    status = Path(other).stat()
    assert (status.st_uid, status.st_mode & 0o7777) == (me, 0o755)
    apply_patch(plan)
    status = library.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (12345, 12345, 0o4755)


# --- the right name ---


@pytest.fixture
def rocm(tmp_path: Path, story: Path) -> Path:
    """A root with a library that has no development link."""
    root = tmp_path / "root"
    shutil.copytree(story / "root", root, symlinks=True)
    return root


@pytest.fixture
def hip(tmp_path: Path, story: Path) -> Path:
    shutil.copytree(story / "site-packages/torch/lib", tmp_path / "lib")
    return tmp_path / "lib/libtorch_hip.so"


def given(rocm: Path, how: str) -> dict[str, object]:
    if how == "root":
        return {"root": str(rocm)}
    place = rocm / "opt/rocm/lib"
    if how == "directory":
        return {"root": None, "providers": [str(place)]}
    if how == "file":
        return {"root": None, "providers": [str(place / "librocm_smi64.so.1")]}
    archive = rocm / "provider.whl"
    with zipfile.ZipFile(archive, "w") as out:
        for each in place.iterdir():
            out.write(each, f"rocm/lib/{each.name}")
    return {"root": None, "providers": [str(archive)]}


@pytest.mark.parametrize("how", ["root", "directory", "file", "wheel"])
def test_a_name_that_only_a_linker_would_know_is_refused(hip: Path, rocm: Path, how: str) -> None:
    where = given(rocm, how)
    said = r"librocm_smi64\.so is nowhere, but librocm_smi64\.so\.1 is .*insist with --force"
    with pytest.raises(elfaudit.PatchError, match=said):
        plan_patch(hip, [AddNeeded("librocm_smi64.so")], **where)  # type: ignore[arg-type]
    forced = plan_patch(hip, [AddNeeded("librocm_smi64.so")], force=True, **where)  # type: ignore[arg-type]
    assert forced.files[0].done == ("librocm_smi64.so is added",)
    assert "as was insisted" in forced.files[0].notes[0]
    right = plan_patch(hip, [AddNeeded("librocm_smi64.so.1")], **where)  # type: ignore[arg-type]
    assert right.files[0].notes == ()


@pytest.mark.parametrize("how", ["root", "directory", "wheel"])
@pytest.mark.parametrize("edit", ["add", "replace"])
def test_of_a_development_link_the_soname_is_listed(
    hip: Path, rocm: Path, how: str, edit: str, readelf: str
) -> None:
    link = rocm / "opt/rocm/lib/librocm_smi64.so"
    link.symlink_to("librocm_smi64.so.1")
    wanted: PatchEdit = AddNeeded(link.name)
    if edit == "replace":
        wanted = ReplaceNeeded("libc10.so", link.name)
    plan = plan_patch(hip, [wanted], **given(rocm, how))  # type: ignore[arg-type]
    assert "by its SONAME, which is listed" in plan.files[0].notes[0]
    apply_patch(plan)
    assert "librocm_smi64.so.1" in dynamic(hip)["NEEDED"]
    assert link.name not in dynamic(hip)["NEEDED"]
    assert ("libc10.so" in dynamic(hip)["NEEDED"]) == (edit == "add")


def test_an_unknown_name_is_taken_with_a_note(hip: Path, rocm: Path) -> None:
    plan = plan_patch(hip, [AddNeeded("libunheard-of.so.3")], root=str(rocm))
    (note,) = plan.files[0].notes
    assert note == "libunheard-of.so.3 is nowhere near: that the name is right could not be checked"
    effects = plan.files[0].effects
    assert effects is not None
    assert effects.missing == ("libunheard-of.so.3",)
    assert not plan.files[0].warns


def test_other_machines_do_not_count_for_a_name(hip: Path, prebuilt: Path) -> None:
    place = str(prebuilt / "machines/aarch64")
    plan = plan_patch(hip, [AddNeeded("libdep.so")], root=None, providers=[place])
    assert "could not be checked" in plan.files[0].notes[0]


# --- before and after ---


def test_an_interposition_is_foretold_as_it_happens(workshop: Workshop, host: Path) -> None:
    one, two = workshop.library("libone.so", ONE), workshop.library("libtwo.so", TWO)
    user = workshop.library("libuser.so", CALLS, needed=["libone.so"], runpath="$ORIGIN")
    behind = plan_patch(user, [AddNeeded("libtwo.so")]).files[0]
    assert behind.effects is not None
    assert behind.effects.moved == ()
    assert not behind.warns
    plan = plan_patch(user, [AddNeeded("libtwo.so", first=True)])
    effects = plan.files[0].effects
    assert effects is not None
    assert plan.files[0].warns
    (moved,) = effects.moved
    assert (moved.object, moved.name) == (str(user), "shared")
    assert (moved.before, moved.after) == (str(one), str(two))
    assert dlopen(host, user).bindings[str(user), "shared", None] == moved.before
    apply_patch(plan)
    assert dlopen(host, user).bindings[str(user), "shared", None] == moved.after


def test_every_binding_that_moves_is_foretold_also_in_other_libraries(
    workshop: Workshop, host: Path
) -> None:
    """A library in the middle refers, too; and breadth first the new one comes before its own."""
    workshop.library("libdeep.so", ONE)
    workshop.library("libmiddle.so", CALLS, needed=["libdeep.so"], runpath="$ORIGIN")
    workshop.library("libtwo.so", TWO + " int more(void) { return 1; }")
    top = workshop.library(
        "libtop.so",
        "int user(void), more(void); int top(void) { return user() + more(); }",
        needed=["libmiddle.so"],
        runpath="$ORIGIN",
    )
    before = dlopen(host, top, now=False).bindings
    plan = plan_patch(top, [AddNeeded("libtwo.so")])
    apply_patch(plan)
    after = dlopen(host, top)
    assert after.error is None
    effects = plan.files[0].effects
    assert effects is not None
    here = str(workshop.directory)
    real = {
        (user, name, before[user, name, version], provider)
        for (user, name, version), provider in dlopen(host, top).bindings.items()
        if user.startswith(here) and before.get((user, name, version), provider) != provider
    }
    told = {(each.object, each.name, each.before, each.after) for each in effects.moved}
    assert told >= real
    assert told == {
        (f"{here}/libmiddle.so", "shared", f"{here}/libdeep.so", f"{here}/libtwo.so"),
    }
    assert [each.name for each in effects.bound] == ["more"]
    assert (effects.before, effects.after) == (Verdict.FAILS, Verdict.LOADS)


def test_what_is_lost_is_foretold_as_it_happens(workshop: Workshop, host: Path) -> None:
    workshop.library("libone.so", ONE)
    user = workshop.library("libuser.so", CALLS, needed=["libone.so"], runpath="$ORIGIN")
    plan = plan_patch(user, [RemoveNeeded("libone.so")])
    effects = plan.files[0].effects
    assert effects is not None
    assert [(each.name, each.after) for each in effects.lost] == [("shared", None)]
    assert effects.spoils
    assert plan.files[0].warns
    apply_patch(plan)
    assert dlopen(host, user).error == effects.error_after


def test_a_library_that_is_not_here_is_no_reason_to_warn(workshop: Workshop, host: Path) -> None:
    user = workshop.library("libuser.so", "int u;")
    plan = plan_patch(user, [AddNeeded("libelsewhere.so.9")])
    effects = plan.files[0].effects
    assert effects is not None
    assert (effects.before, effects.after) == (Verdict.LOADS, Verdict.FAILS)
    assert effects.missing == ("libelsewhere.so.9",)
    assert not plan.files[0].warns
    apply_patch(plan)
    assert dlopen(host, user).error == effects.error_after


def test_what_only_a_provider_has_is_told_apart(workshop: Workshop, host: Path) -> None:
    one = workshop.library("far/libone.so", ONE)
    user = workshop.library("libuser.so", CALLS)
    plan = plan_patch(user, [AddNeeded("libone.so")], providers=[str(one.parent)])
    effects = plan.files[0].effects
    assert effects is not None
    assert effects.lent == ("libone.so",)
    apply_patch(plan)
    assert "libone.so: cannot open" in str(dlopen(host, user).error)
    apply_patch(plan_patch(user, [AddRunpath(str(one.parent))]))
    assert dlopen(host, user).error is None


def test_what_was_lent_before_is_told_too(workshop: Workshop, host: Path) -> None:
    """The file lists it already, but without the provider it would not be found."""
    workshop.library("far/libone.so", ONE)
    workshop.library("far/libtwo.so", "int two;")
    user = workshop.library("libuser.so", CALLS, needed=["libone.so"])
    place = str(workshop.directory / "far")
    effects = plan_patch(user, [AddNeeded("libtwo.so")], providers=[place]).files[0].effects
    assert effects is not None
    assert effects.lent == ("libone.so", "libtwo.so")
    assert "libone.so: cannot open" in str(dlopen(host, user).error)


@pytest.mark.parametrize("source", ["workshop", "wheel"])
def test_the_same_is_told_of_members(workshop: Workshop, source: str, tmp_path: Path) -> None:
    workshop.library("pkg/libone.so", ONE)
    workshop.library("pkg/libtwo.so", TWO)
    workshop.library("pkg/libuser.so", CALLS, needed=["libone.so"], runpath="$ORIGIN")
    target = workshop.directory
    if source == "wheel":
        target = tmp_path / "pkg.zip"
        with zipfile.ZipFile(target, "w") as out:
            for each in sorted((workshop.directory / "pkg").iterdir()):
                out.write(each, f"pkg/{each.name}")
    plan = plan_patch(target, [AddNeeded("libtwo.so", first=True)], members=["pkg/libuser.so"])
    effects = plan.files[0].effects
    assert effects is not None
    (moved,) = effects.moved
    assert moved.before is not None
    assert moved.after is not None
    assert moved.before.endswith("pkg/libone.so")
    assert moved.after.endswith("pkg/libtwo.so")


def test_changes_of_several_members_count_together(workshop: Workshop) -> None:
    """Both lose the library, so that nobody brings it along for the other."""
    workshop.library("libone.so", ONE)
    workshop.library("libmid.so", CALLS, needed=["libone.so"], runpath="$ORIGIN")
    workshop.library("libtop.so", CALLS, needed=["libmid.so", "libone.so"], runpath="$ORIGIN")
    alone = plan_patch(workshop.directory / "libtop.so", [RemoveNeeded("libone.so")])
    assert not alone.files[0].warns
    both = plan_patch(
        workshop.directory, [RemoveNeeded("libone.so")], members=["libtop.so", "libmid.so"]
    )
    lost = {(Path(f.name).name, len(f.effects.lost)) for f in both.files if f.effects}
    assert lost == {("libmid.so", 1), ("libtop.so", 2)}


# --- versions ---


@pytest.fixture
def versioned(workshop: Workshop) -> Path:
    """Requires a version of a library that has a twin of another name."""
    dep = workshop.library("libdep.so.1", ONE, script="DEP_1 { shared; };")
    workshop.library("libdep.so.2", TWO, script="DEP_1 { shared; };")
    return workshop.library("libuser.so", CALLS, needed=[dep], runpath="$ORIGIN")


def test_a_library_that_versions_are_required_from_is_not_removed(versioned: Path) -> None:
    was = versioned.read_bytes()
    with pytest.raises(elfaudit.PatchError, match="versions are required from it"):
        plan_patch(versioned, [RemoveNeeded("libdep.so.1")])
    assert versioned.read_bytes() == was


def test_what_is_required_of_its_versions_goes_with_a_replaced_library(
    versioned: Path, host: Path, readelf: str
) -> None:
    was = versioned.read_bytes()
    apply_patch(plan_patch(versioned, [ReplaceNeeded("libdep.so.1", "libdep.so.2")]))
    answer = dlopen(host, versioned)
    assert answer.error is None
    there = str(versioned.parent)
    assert answer.bindings[str(versioned), "shared", "DEP_1"] == f"{there}/libdep.so.2"
    assert f"{there}/libdep.so.1" not in answer.objects
    shown = subprocess.run([readelf, "-VW", versioned], capture_output=True, text=True, check=True)
    assert "File: libdep.so.2" in shown.stdout
    assert "libdep.so.1" not in shown.stdout
    apply_patch(undo_patch(versioned))
    assert versioned.read_bytes() == was


def test_a_replacement_without_the_version_is_foretold(workshop: Workshop, host: Path) -> None:
    dep = workshop.library("libdep.so.1", ONE, script="DEP_1 { shared; };")
    workshop.library("libdep.so.2", TWO, script="DEP_2 { shared; };")
    user = workshop.library("libuser.so", CALLS, needed=[dep], runpath="$ORIGIN")
    plan = plan_patch(user, [ReplaceNeeded("libdep.so.1", "libdep.so.2")])
    effects = plan.files[0].effects
    assert effects is not None
    assert effects.spoils
    apply_patch(plan)
    assert dlopen(host, user).error == effects.error_after


# --- members, fixes, the way back ---


def test_members_are_meant_by_path_pattern_or_soname(workshop: Workshop, readelf: str) -> None:
    here = workshop.directory
    for path in ("a/libone.so", "a/libtwo.so", "b/libone.so", "other.so"):
        workshop.library(path, soname="libsoname.so.4" if path == "other.so" else None)
    (here / "a/libtext.so").write_text("INPUT(-lone)")
    (here / "a/libone.so.1").symlink_to("libone.so")

    def meant(*patterns: str) -> list[str]:
        plan = plan_patch(here, [SetSoname("x")], members=patterns, check=False)
        return [os.path.relpath(file.name, here) for file in plan.files]

    assert meant("a/libone.so") == ["a/libone.so"]
    assert meant("other.so") == ["other.so"]
    assert meant("libone.so") == ["a/libone.so", "b/libone.so"]
    assert meant("a/*") == ["a/libone.so", "a/libtwo.so"]
    assert meant("libone.so*", "*two*") == ["a/libone.so", "a/libtwo.so", "b/libone.so"]
    assert meant("libsoname.so.4") == ["other.so"]
    assert meant("a/libone.so.1") == ["a/libone.so.1"]
    with pytest.raises(elfaudit.RequestError, match=r"no libtree\.so in it; did you mean"):
        meant("libtree.so")
    with pytest.raises(elfaudit.RequestError, match="nothing that \\*text\\* means is an ELF file"):
        meant("*text*")
    with pytest.raises(elfaudit.NotElfError):
        meant("a/libtext.so")
    with pytest.raises(elfaudit.RequestError, match="say which"):
        meant()


def test_hard_links_are_two_files(workshop: Workshop) -> None:
    one = workshop.library("libone.so")
    other = one.with_name("libother.so")
    other.hardlink_to(one)
    patch(workshop.directory, SetSoname("x"), members=["lib*.so"])
    assert elfaudit.read_elf(str(one)).soname == elfaudit.read_elf(str(other)).soname == "x"


def test_of_several_files_a_later_error_names_what_was_written(workshop: Workshop) -> None:
    first, second = workshop.library("liba.so"), workshop.library("libb.so")
    plan = plan_patch(workshop.directory, [SetSoname("x")], members=["lib?.so"], check=False)
    second.write_bytes(second.read_bytes() + b"more")
    with pytest.raises(elfaudit.PatchError) as caught:
        apply_patch(plan)
    assert caught.value.__notes__ == [f"written before that: {first}"]
    with pytest.raises(elfaudit.RequestError, match="several files are changed in place"):
        apply_patch(plan, output=str(workshop.directory / "out"))


def test_what_resolve_suggests_can_be_applied_as_it_is(
    tmp_path: Path, story: Path, host: Path
) -> None:
    shutil.copytree(story / "site-packages/torch/lib", tmp_path / "lib")
    hip = tmp_path / "lib/libtorch_hip.so"
    place = story / "root/opt/rocm/lib"
    found = elfaudit.resolve(str(hip), with_=[str(place)])
    assert dlopen(host, hip).error == found.error
    fix = next(fix for finding in found.findings for fix in finding.fixes if fix.edits)
    apply_patch(plan_patch(hip, fix.edits, providers=[str(place)]))
    assert dlopen(host, hip).error is None
    assert elfaudit.resolve(str(hip)).verdict is Verdict.LOADS


def test_fixes_are_planned_file_by_file(tmp_path: Path, story: Path, host: Path) -> None:
    shutil.copytree(story / "site-packages/torch/lib", tmp_path / "lib")
    place = story / "root/opt/rocm/lib"
    resolutions = [
        each
        for each in elfaudit.resolve_all([str(tmp_path / "lib")], with_=[str(place)])
        if isinstance(each, elfaudit.Resolution)
    ]
    found = [finding for each in resolutions for finding in each.findings]
    assert plan_fixes(found) == ()
    (plan,) = plan_fixes(found, unsafe=True)
    assert [Path(file.name).name for file in plan.files] == ["libtorch_hip.so"]
    apply_patch(plan)
    assert dlopen(host, tmp_path / "lib/libtorch_hip.so").error is None


def test_fixes_of_members_of_one_name_reach_the_right_ones(tmp_path: Path, story: Path) -> None:
    """One at the top of an archive is called like one further down, which needs no repair."""
    archive = tmp_path / "k.zip"
    lib, good = story / "site-packages/torch/lib", story / "variants/repaired/lib"
    with zipfile.ZipFile(archive, "w") as out:
        for each in lib.iterdir():
            out.write(each, each.name)
        for each in good.iterdir():
            out.write(each, f"good/{each.name}")
    options = {"root": str(story / "root")}
    found = elfaudit.resolve(f"{archive}::libtorch_hip.so", **options).findings  # type: ignore[arg-type]
    (plan,) = plan_fixes(found, unsafe=True, root=options["root"])
    assert [file.name for file in plan.files] == [f"{archive}::libtorch_hip.so"]


def test_an_edit_and_its_inverse_leave_the_old_file(library: Path) -> None:
    was = library.read_bytes()
    patch(library, AddNeeded("libc.so.1x"), AddRunpath("/x"))
    plan = patch(library, RemoveNeeded("libc.so.1x"), SetRunpath("$ORIGIN"))
    assert library.read_bytes() == was
    assert not plan.files[0].reversible
