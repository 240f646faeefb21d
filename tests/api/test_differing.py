"""``diff`` of files, wheels and directories: matching, verdicts, damage; real wheels at the end."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import elfaudit
from elfaudit import Aspect, ChangeSeverity, Difference, FileDifference, FileStatus
from elfaudit.api.differing import diff
from tests.oracle.workshop import Workshop
from tests.real import fetch

BREAKING, NOTABLE, HARMLESS = (
    ChangeSeverity.BREAKING,
    ChangeSeverity.NOTABLE,
    ChangeSeverity.HARMLESS,
)


def wheel(path: Path, members: dict[str, bytes], level: int = 6) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return path


def by_name(difference: Difference) -> dict[str, FileDifference]:
    return {file.name: file for file in difference.files}


def aspects(file: FileDifference) -> set[Aspect]:
    return {change.aspect for change in file.changes}


@pytest.fixture
def lib(workshop: Workshop) -> Callable[..., bytes]:
    """The bytes of a library with a SONAME and functions, that needs others."""

    def build(soname: str, functions: str = "", *needed: str, uses: str = "") -> bytes:
        calls = "".join(f"int {name}(void); " for name in uses.split())
        code = calls + "".join(f"int {name}(void) {{ return 1; }}\n" for name in functions.split())
        if uses:
            body = "+".join(f"{name}()" for name in uses.split())
            code += f"int call_{soname.partition('.')[0]}(void) {{ return {body}; }}"
        path = workshop.library(
            f"{abs(hash((soname, functions, needed, uses)))}/{soname}", code, soname=soname,
            needed=needed, runpath="$ORIGIN:$ORIGIN/../p.libs", flags=["-Wl,-z,now"],
        )  # fmt: skip
        return path.read_bytes()

    return build


def test_the_same_twice_has_no_differences(
    tmp_path: Path, story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing of it is decoded."""
    source = next(story.glob("torch-*.whl"))
    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
        archive.extractall(tmp_path / "unpacked")
    again = wheel(tmp_path / "again.whl", members, level=1)
    shutil.copytree(tmp_path / "unpacked", tmp_path / "copy")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("elfaudit.api.compared_bytes.map_elf", refuse)
    monkeypatch.setattr("elfaudit.api.judging.resolve_all", refuse)
    for old, new in (
        (source, source),
        (source, again),
        (source, tmp_path / "copy"),
        (tmp_path / "unpacked", tmp_path / "copy"),
    ):
        found = diff(str(old), str(new))
        assert found.is_empty
        assert found.severity is None
        assert found.identical == len(members)


def test_a_library_that_fails_now_is_the_worst(tmp_path: Path, lib: Callable[..., bytes]) -> None:
    user = lib("libuser.so", "", "libhas.so", uses="one two")
    old = {"p/libuser.so": user, "p/libhas.so": lib("libhas.so", "one two")}
    new = {"p/libuser.so": user, "p/libhas.so": lib("libhas.so", "one")}
    found = diff(str(wheel(tmp_path / "a.whl", old)), str(wheel(tmp_path / "b.whl", new)))
    first = found.files[0]
    assert (first.name, first.severity) == ("p/libuser.so", BREAKING)
    (change,) = first.changes  # its bytes are what they were
    assert change.message == "LOADS before, FAILS now: p/libuser.so: undefined symbol: two"
    assert (change.old, change.new) == ("LOADS", "FAILS")
    lost = by_name(found)["p/libhas.so"]
    assert [i.name for c in lost.changes for i in c.items if c.severity is BREAKING] == ["two"]
    assert found.count(BREAKING) == 2
    back = diff(str(tmp_path / "b.whl"), str(tmp_path / "a.whl"))
    assert back.severity is HARMLESS


@pytest.mark.oracle
def test_the_message_is_the_loaders(workshop: Workshop, host: Path, tmp_path: Path) -> None:
    for folder, functions in (("old", "int two(void){return 1;}"), ("new", "")):
        has = workshop.library(f"{folder}/libhas.so", f"int one(void){{return 1;}} {functions}")
        workshop.library(
            f"{folder}/libuser.so", "int two(void); int u(void) { return two(); }",
            needed=[has], runpath="$ORIGIN", flags=["-Wl,-z,now"],
        )  # fmt: skip
    found = diff(str(tmp_path / "old"), str(tmp_path / "new"))
    told = by_name(found)["libuser.so"].changes[0].message
    real = subprocess.run(
        [host, tmp_path / "new/libuser.so"], capture_output=True, text=True, check=False
    )
    said = (real.stdout + real.stderr).strip().replace(f"{tmp_path.resolve()}/new/", "")
    assert told.removeprefix("LOADS before, FAILS now: ") in said


def test_a_copied_library_of_another_hash_is_the_same_one(
    tmp_path: Path, lib: Callable[..., bytes]
) -> None:
    files = []
    for digest, functions in (("1a2b3c4d", "f g"), ("5e6f7a8b", "f")):
        soname = f"libfoo-{digest}.so.1"
        files.append(
            {
                f"p.libs/{soname}": lib(soname, functions),
                "p/_x.cpython-311-x86_64-linux-gnu.so": lib("", "PyInit__x", soname),
            }
        )
    found = diff(str(wheel(tmp_path / "a.whl", files[0])), str(wheel(tmp_path / "b.whl", files[1])))
    copied = by_name(found)["p.libs/libfoo-5e6f7a8b.so.1"]
    assert copied.status is FileStatus.RENAMED
    assert copied.old == "p.libs/libfoo-1a2b3c4d.so.1"
    severities = {change.aspect: change.severity for change in copied.changes}
    assert severities[Aspect.SONAME] is HARMLESS
    assert severities[Aspect.EXPORTS_LOST] is NOTABLE
    extension = by_name(found)["p/_x.cpython-311-x86_64-linux-gnu.so"]
    assert extension.severity is HARMLESS
    assert Aspect.NEEDED_REPLACED in aspects(extension)


def test_files_come_and_go(tmp_path: Path, lib: Callable[..., bytes]) -> None:
    old = {"p/libgone.so": lib("libgone.so", "f"), "p/a.py": b"1", "p/b.txt": b"22"}
    new = {"p/libcome.so.2": lib("libnew.so", "g"), "p/c.py": b"1", "p/b.txt": b"333"}
    found = diff(str(wheel(tmp_path / "a.whl", old)), str(wheel(tmp_path / "b.whl", new)))
    files = by_name(found)
    assert files["p/libgone.so"].status is FileStatus.REMOVED
    assert files["p/libgone.so"].severity is BREAKING
    assert files["p/libcome.so.2"].status is FileStatus.ADDED
    assert [each.path for each in found.others.added] == ["p/c.py"]
    assert [each.path for each in found.others.removed] == ["p/a.py"]
    assert [(e.old_size, e.new_size) for e in found.others.changed] == [(2, 3)]


def test_two_files_are_compared_whatever_they_are_called(
    tmp_path: Path, lib: Callable[..., bytes]
) -> None:
    (tmp_path / "one.so").write_bytes(lib("libx.so.1", "f g"))
    (tmp_path / "other").write_bytes(lib("libx.so.1", "f"))
    found = diff(str(tmp_path / "one.so"), str(tmp_path / "other"))
    (file,) = found.files
    assert file.severity is BREAKING
    assert aspects(file) == {Aspect.EXPORTS_LOST}
    inside = wheel(tmp_path / "a.whl", {"p/libx.so": (tmp_path / "one.so").read_bytes()})
    again = diff(f"{inside}::p/libx.so", f"{tmp_path}::other")
    assert [aspects(each) for each in again.files] == [{Aspect.EXPORTS_LOST}]
    assert diff(f"{inside}::p/libx.so", str(tmp_path / "one.so")).is_empty


def test_what_cannot_be_compared_is_told(tmp_path: Path, lib: Callable[..., bytes]) -> None:
    library, text, other = tmp_path / "libx.so", tmp_path / "a.txt", tmp_path / "b.txt"
    library.write_bytes(lib("libx.so", "f"))
    text.write_text("a")
    other.write_text("b")
    with pytest.raises(elfaudit.RequestError, match=r"is one file, .* holds many: name one"):
        diff(str(library), str(tmp_path))
    with pytest.raises(elfaudit.RequestError, match="neither is an ELF file"):
        diff(str(text), str(other))
    with pytest.raises(elfaudit.SourceError, match="cannot be opened"):
        diff(str(library), str(tmp_path / "absent"))
    with pytest.raises(elfaudit.SourceError, match="there is no such file in it"):
        diff(str(library), f"{tmp_path}::absent")
    with pytest.raises(elfaudit.SourceError, match="is a file, not an archive"):
        diff(f"{library}::x", str(library))


def damages(sound: bytes) -> dict[str, bytes]:
    headers = bytearray(sound)
    struct.pack_into("<Q", headers, 32, 1 << 60)  # e_phoff
    return {"cut": sound[:100], "empty": b"", "text": b"not ELF at all", "headers": bytes(headers)}


@pytest.mark.parametrize("kind", ["cut", "empty", "text", "headers"])
def test_one_damaged_file_is_one_row(tmp_path: Path, lib: Callable[..., bytes], kind: str) -> None:
    sound = lib("liba.so", "f")
    old = {"p/liba.so": sound, "p/libb.so": lib("libb.so", "f g")}
    new = {"p/liba.so": damages(sound)[kind], "p/libb.so": lib("libb.so", "f")}
    before, after = wheel(tmp_path / "a.whl", old), wheel(tmp_path / "b.whl", new)
    files = by_name(diff(str(before), str(after)))
    (change,) = files["p/liba.so"].changes
    assert (change.aspect, change.severity) == (Aspect.UNREADABLE, BREAKING)
    assert change.message.startswith("cannot be read now: ")
    assert Aspect.EXPORTS_LOST in aspects(files["p/libb.so"])
    back = by_name(diff(str(after), str(before)))
    (change,) = back["p/liba.so"].changes
    assert (change.aspect, change.severity) == (Aspect.UNREADABLE, NOTABLE)


def test_a_member_that_cannot_be_inflated_is_one_row(
    tmp_path: Path, lib: Callable[..., bytes]
) -> None:
    members = {"p/liba.so": lib("liba.so", "f"), "p/libb.so": lib("libb.so", "f g")}
    before = wheel(tmp_path / "a.whl", members)
    after = wheel(tmp_path / "b.whl", {**members, "p/libb.so": lib("libb.so", "f")})
    raw = bytearray(after.read_bytes())
    with zipfile.ZipFile(after) as archive:
        entry = archive.getinfo("p/liba.so")
    start = entry.header_offset + 30 + len(entry.filename)
    raw[start : start + 40] = b"\xff" * 40
    at = raw.index(b"PK\x01\x02")
    struct.pack_into("<I", raw, at + 16, entry.CRC ^ 1)
    after.write_bytes(raw)
    files = by_name(diff(str(before), str(after)))
    assert aspects(files["p/liba.so"]) == {Aspect.UNREADABLE}
    assert Aspect.EXPORTS_LOST in aspects(files["p/libb.so"])


def test_every_damaged_fixture_beside_a_sound_one(prebuilt: Path) -> None:
    """Any bytes end in rows."""
    sound = prebuilt / "shapes/libdep.so.1"
    files = [p for p in prebuilt.rglob("*") if p.is_file() and p.read_bytes()[:4] == b"\x7fELF"]
    for path in files:
        for pair in ((sound, path), (path, sound)):
            with contextlib.suppress(elfaudit.RequestError):  # the old one cannot be read
                diff(*map(str, pair), root=None)


def test_links_and_directories(tmp_path: Path, lib: Callable[..., bytes]) -> None:
    for folder, version in (("old", "1.2"), ("new", "1.3")):
        (tmp_path / folder).mkdir()
        real = tmp_path / folder / f"libz.so.{version}"
        real.write_bytes(lib("libz.so.1", f"f v{version[-1]}"))
        os.symlink(real.name, tmp_path / folder / "libz.so.1")
    os.symlink("libz.so.1.2", tmp_path / "old/libz.so")
    found = diff(str(tmp_path / "old"), str(tmp_path / "new"))
    (file,) = found.files
    assert (file.old, file.new, file.status) == ("libz.so.1.2", "libz.so.1.3", FileStatus.RENAMED)
    (link,) = found.changes
    assert (link.aspect, [i.name for i in link.items]) == (Aspect.LINK_REMOVED, ["libz.so"])


def test_metadata_and_tags_are_compared(tmp_path: Path) -> None:
    def build(version: str, requires: str, tag: str) -> Path:
        directory = f"demo-{version}.dist-info"
        return wheel(
            tmp_path / f"demo-{version}.whl",
            {
                f"{directory}/METADATA": f"Name: demo\nVersion: {version}\n"
                f"Requires-Dist: {requires}\n\nbody".encode(),
                f"{directory}/WHEEL": f"Tag: {tag}\n".encode(),
                f"{directory}/top_level.txt": b"demo",
            },
        )

    old, new = build("1.0", "numpy>=1", "cp311-cp311-a"), build("1.1", "numpy>=2", "cp312-cp312-a")
    found = diff(str(old), str(new))
    told = {change.aspect: change for change in found.changes}
    assert set(told) == {Aspect.VERSION, Aspect.REQUIREMENTS, Aspect.TAGS}
    assert told[Aspect.VERSION].message == "demo is of version 1.1 (before 1.0)"
    assert found.identical == 1  # top_level.txt, whatever its directory is called
    assert not found.others.added


def test_modules_are_compared_if_somebody_knows_them(tmp_path: Path) -> None:
    old = wheel(tmp_path / "a.whl", {"p.py": b"a=1"})
    new = wheel(tmp_path / "b.whl", {"p.py": b"b=1"})
    names = {str(old): {"p": frozenset("a")}, str(new): {"p": frozenset("b")}}
    found = diff(str(old), str(new), public_names=names.__getitem__)
    assert [c.aspect for c in found.changes] == [Aspect.NAMES_LOST, Aspect.NAMES_GAINED]
    assert found.severity is BREAKING


def test_surroundings_are_those_of_resolve(tmp_path: Path, lib: Callable[..., bytes]) -> None:
    old = wheel(tmp_path / "a.whl", {"p/libx.so": lib("libx.so", "f")})
    new = wheel(tmp_path / "b.whl", {"p/libx.so": lib("libx.so", "f", "libabsent.so.1")})
    alone = diff(str(old), str(new), root=None)
    assert alone.severity is NOTABLE
    assert any("UNDECIDED now" in c.message for _, c in alone.every())
    here = diff(str(old), str(new))
    assert any("LOADS before, FAILS now: libabsent.so.1" in c.message for _, c in here.every())
    with pytest.raises(elfaudit.RequestError):
        diff(str(old), str(new), host="/absent/python")


def real_wheel(name: str, requirement: str, *options: str) -> Path:
    """A wheel of another release than the other tests fetch."""
    directory = fetch.cache_directory() / "diff"
    stem = requirement.replace("==", "-")
    if not (found := sorted(directory.glob(f"{stem}-*.whl"))):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", str(directory), *options, requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{name}: {done.stderr.splitlines()[-1:]}")
        found = sorted(directory.glob(f"{stem}-*.whl"))
    return found[0]


def had(name: str) -> Path:
    try:
        return fetch.wheel(name)
    except fetch.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "before"),
    [("numpy", "numpy==2.3.5"), ("bitsandbytes", "bitsandbytes==0.49.2")],
)
def test_real_wheels_as_nm_and_readelf_tell(
    name: str, before: str, tmp_path: Path, nm: str, readelf: str
) -> None:
    """Every pair of files: exports, references and NEEDED by two tools and a few lines."""
    platform = ("--platform", "manylinux_2_24_x86_64", "--python-version", "3.11")
    options = platform if name == "bitsandbytes" else ()
    builds = [real_wheel(name, before, *options), had(name)]
    folders = []
    for number, path in enumerate(builds):
        folders.append(tmp_path / str(number))
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folders[-1])
    found = diff(*map(str, builds))
    compared = [file for file in found.files if None not in (file.old_size, file.new_size)]
    assert len(compared) > 8
    for file in compared:
        was, now = (
            folder / (path or "")
            for folder, path in zip(folders, (file.old, file.new), strict=True)
        )
        told: dict[Aspect, set[str]] = {}
        for change in file.changes:
            names = (f"{i.name}@{i.version}" if i.version else i.name for i in change.items)
            told.setdefault(change.aspect, set()).update(names)
            if change.aspect is Aspect.NEEDED_REPLACED:
                told.setdefault(Aspect.NEEDED_REMOVED, set()).add(str(change.old))
                told.setdefault(Aspect.NEEDED_ADDED, set()).add(str(change.new))
        lost = told.get(Aspect.EXPORTS_LOST, set()) | told.get(Aspect.COPIES_LOST, set())
        old, new = (dynamic(nm, path, "--defined-only") for path in (was, now))
        assert lost == old - new, file.name
        assert told.get(Aspect.EXPORTS_GAINED, set()) == new - old, file.name
        old, new = (dynamic(nm, path, "--undefined-only") for path in (was, now))
        assert told.get(Aspect.REFERENCES_ADDED, set()) == new - old, file.name
        assert told.get(Aspect.REFERENCES_REMOVED, set()) == old - new, file.name
        old, new = (needed(readelf, path) for path in (was, now))
        assert told.get(Aspect.NEEDED_ADDED, set()) == new - old, file.name
        assert told.get(Aspect.NEEDED_REMOVED, set()) == old - new, file.name


def dynamic(nm: str, path: Path, side: str) -> set[str]:
    text = subprocess.run([nm, "-D", side, path], capture_output=True, text=True, check=True)
    rows = [line.split()[-2:] for line in text.stdout.splitlines()]
    # Small letters are local symbols, but for these (nm(1)); A stands for a version.
    others = [(kind, name) for kind, name in rows if kind.isupper() or kind in "uvwi"]
    return {name.replace("@@", "@") for kind, name in others if kind != "A"}


def needed(readelf: str, path: Path) -> set[str]:
    text = subprocess.run([readelf, "-dW", path], capture_output=True, text=True, check=True)
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", text.stdout))


def test_any_bytes_end_in_rows(prebuilt: Path, tmp_path: Path) -> None:
    """A few bytes changed at random in what is read, on either side."""
    chance = random.Random(7)
    for name in ("machines/x86_64/libdemo.so", "shapes/libdep.so.1", "machines/s390x/libdemo.so"):
        sound = (prebuilt / name).read_bytes()
        good, bad = tmp_path / "good.so", tmp_path / "bad.so"
        good.write_bytes(sound)
        for _ in range(120):
            raw = bytearray(sound)
            for _ in range(chance.choice((1, 4, 40))):
                raw[chance.randrange(min(len(raw), 4096))] = chance.randrange(256)
            bad.write_bytes(raw)
            diff(str(good), str(bad), root=None)
            with contextlib.suppress(elfaudit.RequestError):
                diff(str(bad), str(good), root=None)


def test_the_distributions_of_a_directory_are_told_apart(tmp_path: Path) -> None:
    for folder, versions in (("old", {"a": "1", "b": "1"}), ("new", {"a": "2", "c": "1"})):
        for name, version in versions.items():
            directory = tmp_path / folder / f"{name}-{version}.dist-info"
            directory.mkdir(parents=True)
            (directory / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    found = diff(str(tmp_path / "old"), str(tmp_path / "new"))
    assert {change.message for change in found.changes} == {
        "a is of version 2 (before 1)",
        "b is not there any more",
        "c is new",
    }
    assert found.severity is NOTABLE


def test_a_new_file_that_fails_is_worth_a_word(tmp_path: Path, lib: Callable[..., bytes]) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    (tmp_path / "new/libx.so").write_bytes(lib("libx.so", "f", "libabsent.so.1"))
    for folder in ("old", "new"):
        (tmp_path / folder / "a.txt").write_text("a")
    (file,) = diff(str(tmp_path / "old"), str(tmp_path / "new")).files
    assert file.severity is NOTABLE
    assert file.changes[0].message.startswith("FAILS: libabsent.so.1: cannot open shared object")
