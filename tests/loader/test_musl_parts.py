"""What of musl's rules no graph reaches: refusals, files nobody may read, odd machines."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from elfaudit.elf import read_elf
from elfaudit.errors import SourceError
from elfaudit.loader import (
    Cause,
    LinkMapEntry,
    LoaderEnvironment,
    ObjectStore,
    Origin,
    Outcome,
    Status,
)
from elfaudit.loader.environment import Dlopen
from elfaudit.loader.musl import MuslProcess
from elfaudit.loader.musl_bindings import bind_musl
from elfaudit.loader.musl_failure import first_musl_failure
from elfaudit.loader.musl_lookup import index_symbols_musl
from elfaudit.loader.musl_machines import musl_machine_of
from elfaudit.loader.musl_search import MuslSearcher
from elfaudit.loader.musl_verify import RefusedError, verified
from elfaudit.sources import Member, NoFile, TreeSource
from elfaudit.stream import ByteStream
from tests.elf.forge import forge
from tests.oracle.musl_prediction import predict

from .test_hostile import SOUND, library
from .test_musl_hostile import whole_root

RPATH, STRTAB, STRSZ, SYMTAB, RELA, RELASZ = 15, 5, 10, 6, 7, 8


def patched(raw: bytes, offset: int, value: int) -> bytes:
    """A file with other 16 bits in its header."""
    return raw[:offset] + struct.pack("<H", value) + raw[offset + 2 :]


def process_in(root: Path, program: str) -> tuple[MuslProcess, ObjectStore]:
    """A process that has started."""
    environment, store = LoaderEnvironment(TreeSource(str(root))), ObjectStore()
    member = environment.root.find(program)
    assert member is not None
    process = MuslProcess(environment, MuslSearcher(environment, store, store.read(member)))
    process.start(process.find_program(program))
    return process, store


def test_a_subject_that_is_refused(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    (root / "program").write_bytes(library([]))
    (root / "libother.so").write_bytes(patched(forge([], {}), 16, 1))  # ET_REL
    process, store = process_in(root, "/program")
    elf = read_elf(root / "libother.so")
    assert process.program is not None
    assert process.program.elf is not None
    member = TreeSource(str(root)).find("/libother.so")
    assert member is not None
    with pytest.raises(RefusedError) as refused:
        verified(member, store, process.program.elf)
    subject = LinkMapEntry("x", "/libother.so", "x", elf, "x", None, Origin.DIRECT)
    process.open(subject, refused=str(refused.value))
    failure = first_musl_failure(bind_musl(process.link_map(), {}))
    assert failure is not None
    assert (failure.cause, failure.message) == (
        Cause.FILE,
        "Error loading shared library /libother.so: Exec format error",
    )


def test_what_nobody_may_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = whole_root(tmp_path)
    for folder in ("a", "b"):
        (root / folder).mkdir()
        (root / folder / "libwho.so").write_bytes(library([], tables=SOUND))
    (root / "program").write_bytes(library(["libwho.so"], rpath="/a:/b"))
    forbid(monkeypatch, "/a/libwho.so")
    ours = predict("/program", root=str(root))
    assert ours.entry("libwho.so").path == "/b/libwho.so"
    assert ours.entry("libwho.so").steps[0].outcome is Outcome.UNREADABLE
    (root / "b/libwho.so").unlink()
    (root / "program").write_bytes(library(["libwho.so"], rpath="/b:/a"))
    (root / "etc").mkdir()
    (root / "etc/ld-musl-x86_64.path").write_text("")
    ours = predict("/program", root=str(root))
    assert ours.error == (
        "Error loading shared library libwho.so: Permission denied (needed by /program)"
    )


def test_a_path_file_nobody_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = whole_root(tmp_path)
    (root / "program").write_bytes(library(["libwho.so"]))
    (root / "etc").mkdir()
    (root / "etc/ld-musl-x86_64.path").write_text("/lib")
    forbid(monkeypatch, "/etc/ld-musl-x86_64.path")
    ours = predict("/program", root=str(root))
    assert [step.path for step in ours.entry("libwho.so").steps] == ["/etc/ld-musl-x86_64.path"]
    assert "Permission denied" in (ours.error or "")


def forbid(monkeypatch: pytest.MonkeyPatch, forbidden: str) -> None:
    """Make one path a file that cannot be opened, as it is for whoever is not root."""
    look = TreeSource.look

    def refuse() -> ByteStream:
        raise SourceError(forbidden, "cannot be opened: Permission denied")

    def found(source: TreeSource, path: str) -> Member | NoFile:
        member = look(source, path)
        if isinstance(member, Member) and path == forbidden:
            return replace(member, open=refuse)
        return member

    monkeypatch.setattr(TreeSource, "look", found)


def test_a_root_without_a_loader_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(library(["libc.so", "libgone.so"]))
    ours = predict("/program", root=str(tmp_path))
    assert ours.error is None
    assert [(e.name, e.origin) for e in ours.link_map.missing] == [
        ("/lib/ld-musl-x86_64.so.1", Origin.EXTERNAL),
        ("libgone.so", Origin.EXTERNAL),
    ]
    assert list(ours.bindings) == []


def test_a_symbol_that_something_unknown_may_supply(tmp_path: Path, prebuilt: Path) -> None:
    (tmp_path / "lib").mkdir()
    library_file = tmp_path / "lib/libdemo.so"
    library_file.write_bytes((prebuilt / "linkers/bfd/libdemo.so").read_bytes())
    ours = predict("/lib/libdemo.so", root=str(tmp_path))
    unresolved = list(ours.bindings.open_references())
    assert unresolved
    assert {binding.status for binding in unresolved} == {Status.UNDECIDED}
    assert ours.error is None
    whole_root(tmp_path / "whole")
    (tmp_path / "whole/lib/libdemo.so").write_bytes(library_file.read_bytes())
    assert predict("/lib/libdemo.so", root=str(tmp_path / "whole")).error is not None


def test_relocations_that_cannot_be_read(tmp_path: Path, prebuilt: Path) -> None:
    root = whole_root(tmp_path)
    rows: list[tuple[int, int | str]] = [(STRTAB, "strings"), (STRSZ, 1), (RELASZ, 4800)]
    raw = forge([*rows, (RELA, "strings")], {"strings": bytes(64)})
    (root / "program").write_bytes(raw)
    process, _ = process_in(root, "/program")
    program = process.program
    assert program is not None
    index = index_symbols_musl(read_elf(prebuilt / "linkers/bfd/libdemo.so"))
    bindings = bind_musl(process.link_map(), {program: index})
    assert list(bindings.damaged) == [program]
    assert first_musl_failure(bindings) is None


def test_bindings_one_by_one(tmp_path: Path, prebuilt: Path) -> None:
    root = whole_root(tmp_path)
    folder = prebuilt / "story"
    for file in folder.rglob("*.so*"):
        (root / "lib" / file.name).write_bytes(file.read_bytes())
    ours = predict("/lib/libtorch_hip.so", root=str(root))
    bindings, subject = ours.bindings, ours.link_map.subject
    every = list(bindings)
    assert every
    for binding in every:
        if binding.reference is subject:
            assert bindings.of(subject, binding.name).provider is bindings.provider(
                subject, binding.name
            )
    unresolved = {b.name for b in bindings.open_references() if b.reference is subject}
    assert unresolved == bindings.open_keys(subject)
    assert bindings.looked_up(subject, unresolved | {"nobody_asks"}) == unresolved
    assert list(bindings.requiring(subject, "libc.so.6", "GLIBC_2.2.5")) == []


def test_a_machine_without_a_table(tmp_path: Path) -> None:
    elf_file = tmp_path / "x.so"
    elf_file.write_bytes(patched(forge([], {}), 18, 4711))
    machine = musl_machine_of(read_elf(elf_file))
    assert machine.interpreter == "/lib/ld-musl-machine-4711.so.1"
    assert machine.supports(12345)


def test_dlopen_of_what_is_the_loader_or_missing(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    (root / "program").write_bytes(library([]))
    ours = predict("/program", Dlopen("libc.so"), root=str(root))
    assert ours.objects == ("/lib/ld-musl-x86_64.so.1",)
    ours = predict("/program", Dlopen("libgone.so"), root=str(root))
    assert ours.error == "Error loading shared library libgone.so: No such file or directory"
    assert ours.link_map.subject.missing
