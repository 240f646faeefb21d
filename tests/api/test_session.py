"""What a session prepares: targets, roots, the program of the process, what surrounds it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from elfaudit.api.session import Session
from elfaudit.api.subject import Subject
from elfaudit.api.surroundings import Surroundings
from elfaudit.errors import RequestError, SourceError
from elfaudit.loader import AnyProgram, Loader

EXTENSION = "torch/_C.cpython-311-x86_64-linux-gnu.so"
RUNNING = f"{sys.version_info[0]}{sys.version_info[1]}"


def session(*targets: str | Path, **options: object) -> Session:
    surroundings = Surroundings(**{"root": None, **options})  # type: ignore[arg-type]
    return Session([str(target) for target in targets], surroundings)


def loader_of(made: Session, subject: Subject) -> tuple[Loader, bool]:
    elf = made.store.read(subject.member)
    return made.processes.loader(subject, elf)


def program_of(made: Session) -> tuple[str | AnyProgram | None, bool]:
    """The main program for the first subject, and whether it is a Python."""
    loader, python = loader_of(made, next(made.subjects()))
    return loader.environment.main_program, python


class TestSubjects:
    """What is asked about."""

    def test_text_is_not_even_opened(self, story: Path) -> None:
        names = [s.member.path for s in session(story / "site-packages").subjects()]
        assert not any(name.endswith(".py") for name in names)
        assert any(name.endswith("libc10.so") for name in names)

    def test_empty_files_are_passed_over(self, tmp_path: Path) -> None:
        (tmp_path / "py.typed").write_bytes(b"")
        (tmp_path / "empty.so").write_bytes(b"")
        names = [subject.name for subject in session(tmp_path).subjects()]
        assert names == [f"{tmp_path}/empty.so"]  # which should have been a library
        (subject,) = session(tmp_path / "empty.so").subjects()
        assert subject.listed

    def test_a_file_of_a_directory_by_address(self, story: Path) -> None:
        (subject,) = session(f"{story / 'site-packages'}::{EXTENSION}").subjects()
        assert subject.listed
        assert subject.member.path.endswith(EXTENSION)

    def test_a_file_that_is_gone(self, story: Path) -> None:
        with pytest.raises(SourceError, match="no such file"):
            session(f"{story}::nowhere.so")

    def test_a_directory_inside_the_root_has_paths_of_the_root(self, tmp_path: Path) -> None:
        place = tmp_path / "root/opt/lib"
        place.mkdir(parents=True)
        (place / "libx.so").write_bytes(b"\x7fELF")
        (subject,) = session(place, root=str(tmp_path / "root")).subjects()
        assert subject.member.path == "/opt/lib/libx.so"

    def test_the_root_itself(self, tmp_path: Path) -> None:
        (tmp_path / "libx.so").write_bytes(b"\x7fELF")
        (subject,) = session(tmp_path, root=str(tmp_path)).subjects()
        assert subject.member.path == "/libx.so"

    def test_a_file_of_the_root_given_from_outside(self, tmp_path: Path) -> None:
        (tmp_path / "libx.so").write_bytes(b"\x7fELF")
        (subject,) = session(tmp_path / "libx.so", root=str(tmp_path)).subjects()
        assert subject.member.path == "/libx.so"


class TestProgram:
    """Whose process it is."""

    def test_a_library_is_on_its_own(self, story: Path) -> None:
        target = story / "site-packages/torch/lib/libc10.so"
        assert program_of(session(target, root="/")) == (AnyProgram.PLAIN, False)

    def test_a_program_is_itself_whatever_the_host(self, prebuilt: Path) -> None:
        target = prebuilt / "machines/x86_64/demo"
        assert program_of(session(target, root="/", host="/bin/sh")) == (None, False)

    def test_an_extension_of_the_running_python(self, story: Path, tmp_path: Path) -> None:
        copy = tmp_path / f"_C.cpython-{RUNNING}-x86_64-linux-gnu.so"
        shutil.copy(story / "site-packages" / EXTENSION, copy)
        expected = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        if os.uname().machine != "x86_64":
            pytest.skip("the extension is for x86_64")
        assert program_of(session(copy, root="/")) == (expected, True)

    def test_an_extension_of_a_python_that_is_not_here(self, story: Path, tmp_path: Path) -> None:
        copy = tmp_path / "_C.cpython-399-x86_64-linux-gnu.so"
        shutil.copy(story / "site-packages" / EXTENSION, copy)
        assert program_of(session(copy, root="/")) == (AnyProgram.PLAIN, True)

    def test_no_host_at_all(self, story: Path) -> None:
        target = story / "site-packages" / EXTENSION
        assert program_of(session(target, root="/", host="none")) == (None, True)

    def test_the_python_of_the_root(self, story: Path, prebuilt: Path, tmp_path: Path) -> None:
        binaries = tmp_path / "usr/bin"
        binaries.mkdir(parents=True)
        (binaries / "python3").write_text("#!/bin/sh\n")
        shutil.copy(prebuilt / "machines/x86_64/demo", binaries / "python3.11")
        target = story / "site-packages" / EXTENSION
        assert program_of(session(target, root=str(tmp_path))) == ("/usr/bin/python3.11", True)

    def test_a_wrapper_script_is_no_program(self, story: Path, tmp_path: Path) -> None:
        binaries = tmp_path / "usr/bin"
        binaries.mkdir(parents=True)
        (binaries / "python3.11").write_text("#!/bin/sh\n")
        target = story / "site-packages" / EXTENSION
        assert program_of(session(target, root=str(tmp_path))) == (AnyProgram.PLAIN, True)

    def test_a_python_of_another_machine_is_no_host(
        self, story: Path, prebuilt: Path, tmp_path: Path
    ) -> None:
        binaries = tmp_path / "usr/bin"
        binaries.mkdir(parents=True)
        shutil.copy(prebuilt / "machines/aarch64/demo", binaries / "python3.11")
        target = story / "site-packages" / EXTENSION
        assert program_of(session(target, root=str(tmp_path))) == (AnyProgram.PLAIN, True)

    def test_the_links_of_a_program_are_followed(
        self, story: Path, prebuilt: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "opt/python/bin").mkdir(parents=True)
        (tmp_path / "usr/bin").mkdir(parents=True)
        shutil.copy(prebuilt / "machines/x86_64/demo", tmp_path / "opt/python/bin/python")
        (tmp_path / "usr/bin/python3.11").symlink_to("/opt/python/bin/python")
        target = story / "site-packages" / EXTENSION
        assert program_of(session(target, root=str(tmp_path)))[0] == "/opt/python/bin/python"

    def test_a_library_of_a_wheel_is_in_a_python(self, story: Path) -> None:
        (wheel,) = story.glob("*.whl")
        made = session(f"{wheel}::torch/lib/libc10.so")
        assert program_of(made) == (AnyProgram.PLAIN, True)

    def test_loaders_are_shared(self, story: Path) -> None:
        made = session(story / "site-packages")
        loaders = {
            id(loader_of(made, subject)[0])
            for subject in made.subjects()
            if subject.member.path.endswith(".so") and "lib/" in subject.member.path
        }
        assert len(loaders) == 1

    def test_no_such_host(self, story: Path) -> None:
        with pytest.raises(RequestError):
            session(story, root="/", host="/nowhere")


class TestEnvironment:
    """What surrounds the process."""

    def test_this_machine_has_a_directory_and_a_cpu(
        self, story: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        made = session(story / "site-packages/torch/lib/libc10.so", root="/")
        environment = loader_of(made, next(made.subjects()))[0].environment
        assert environment.directory == os.getcwd()

    def test_another_root_has_neither(self, story: Path, tmp_path: Path) -> None:
        made = session(story / "site-packages/torch/lib/libc10.so", root=str(tmp_path))
        environment = loader_of(made, next(made.subjects()))[0].environment
        assert (environment.directory, environment.hwcaps) == ("/", None)

    def test_preloads_are_files_of_this_machine_or_names(
        self, story: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lib = story / "site-packages/torch/lib"
        monkeypatch.chdir(lib)
        made = session(lib / "libc10.so", root="/", preload=["./libc10.so", "libm.so.6"])
        environment = loader_of(made, next(made.subjects()))[0].environment
        assert environment.preload == ("./libc10.so", "libm.so.6")

    def test_library_path_is_as_given(self, story: Path) -> None:
        made = session(story / "site-packages/torch/lib/libc10.so", library_path=("/a", ""))
        environment = loader_of(made, next(made.subjects()))[0].environment
        assert environment.library_path == ("/a", "")
