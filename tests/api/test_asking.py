"""Questions to one file, and who exports a symbol."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from elfaudit.api import Side, count_symbols, find_providers, list_symbols, open_elf
from elfaudit.api.providing import answers
from elfaudit.elf import SymbolVisibility
from elfaudit.errors import ElfFormatError, NotElfError, RequestError, SourceError

WHEEL = "torch-2.9.1+rocm7.1-cp311-cp311-linux_x86_64.whl"


@pytest.fixture
def demo(prebuilt: Path) -> Path:
    return prebuilt / "machines/x86_64/libdemo.so"


@pytest.fixture
def cpu(story: Path) -> str:
    """A C++ library inside a wheel."""
    return f"{story / WHEEL}::torch/lib/libtorch_cpu.so"


def test_a_file_is_opened_by_path(demo: Path) -> None:
    assert open_elf(demo).soname == open_elf(str(demo)).soname == "libdemo.so.2"


def test_a_member_of_a_wheel_or_directory_is_opened(story: Path) -> None:
    member = "torch/lib/libc10.so"
    packed = open_elf(f"{story / WHEEL}::{member}")
    unpacked = open_elf(f"{story / 'site-packages'}::{member}")
    assert packed.soname == unpacked.soname == "libc10.so"
    assert packed.path == f"{story / WHEEL}::{member}"


def test_an_archive_under_any_name_is_one(story: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "wheel"
    shutil.copy(story / WHEEL, renamed)
    assert open_elf(f"{renamed}::torch/lib/libc10.so").soname == "libc10.so"
    with pytest.raises(RequestError, match="holds many files; name one of them, as "):
        open_elf(renamed)


def test_what_cannot_be_opened_is_told(demo: Path, story: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be opened: No such file"):
        open_elf(demo.parent / "absent.so")
    with pytest.raises(SourceError, match="is a file, not an archive: it has no 'x' in it"):
        open_elf(f"{demo}::x")
    with pytest.raises(SourceError, match="there is no such file in it"):
        open_elf(f"{story / WHEEL}::absent")
    with pytest.raises(RequestError, match=r"holds many files; name one of them, as .*::PATH"):
        open_elf(tmp_path)
    (tmp_path / "text").write_text("text")
    with pytest.raises(NotElfError):
        open_elf(tmp_path / "text")


def test_a_file_that_may_not_be_read_is_told(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    copy = tmp_path / "libdemo.so"
    shutil.copy(demo, copy)
    monkeypatch.setattr("builtins.open", refused)
    monkeypatch.setattr("os.open", refused)
    with pytest.raises(SourceError, match="cannot be opened: Permission denied"):
        open_elf(copy)


def test_the_sides_are_told_apart(demo: Path) -> None:
    exports = [s.name for s in list_symbols(demo, side=Side.EXPORTS)]
    undefined = [s.name for s in list_symbols(demo, side=Side.UNDEFINED)]
    everything = [s.name for s in list_symbols(demo)]
    assert sorted(undefined) == ["demo_absent", "dep_call", "dep_data", "dep_tls"]
    assert sorted(exports + undefined) == sorted(everything)
    assert "" not in everything


def test_symbols_are_made_when_they_are_reached(demo: Path) -> None:
    symbols = list_symbols(open_elf(demo), match="^old_api$")
    assert {str(s) for s in symbols} == {"old_api@DEMO_1.0", "old_api@@DEMO_2.0"}


def test_the_namespace_is_that_of_the_entity(cpu: str) -> None:
    inside = {s.name for s in list_symbols(cpu, side=Side.EXPORTS, namespace="c10d")}
    mentioned = {s.name for s in list_symbols(cpu, side=Side.EXPORTS, match="c10d")}
    assert inside < mentioned
    assert "_ZN5torch4c10d4fakeEv" in mentioned - inside
    assert count_symbols(cpu, side=Side.EXPORTS, namespace="c10d") == len(inside)


def test_the_pattern_may_match_the_demangled_name(cpu: str) -> None:
    assert count_symbols(cpu, match=r"c10d::\w+") == 0
    assert count_symbols(cpu, match=r"c10d::\w+", demangled=True) > 0
    both = list_symbols(cpu, match=r"^c10d::", namespace="c10d", demangled=True)
    assert {s.name for s in both} <= {s.name for s in list_symbols(cpu, namespace="c10d")}


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "a{2,1}", "(?P<1>x)", "*"])
def test_an_invalid_pattern_is_told_before_the_file_is_read(pattern: str) -> None:
    with pytest.raises(RequestError, match="is not a regular expression"):
        list_symbols("/absent", match=pattern)
    with pytest.raises(RequestError, match="is not a regular expression"):
        count_symbols("/absent", match=pattern)


@pytest.mark.parametrize("namespace", ["", "::", " "])
def test_an_empty_namespace_is_told(demo: Path, namespace: str) -> None:
    with pytest.raises(RequestError, match="the namespace is empty"):
        list_symbols(demo, namespace=namespace)


def test_a_file_without_symbols_has_none(prebuilt: Path) -> None:
    assert list(list_symbols(prebuilt / "shapes/static-exe")) == []
    assert count_symbols(prebuilt / "shapes/relocatable.o") == 0


def test_providers_are_found_in_directories_wheels_and_files(story: Path) -> None:
    smi = story / "root/opt/rocm/lib/librocm_smi64.so.1"
    (by_file,) = find_providers(["rsmi_init"], [smi])
    (by_directory,) = find_providers(["rsmi_init"], [story / "root"])
    assert by_file.soname == by_directory.soname == "librocm_smi64.so.1"
    assert by_file.path == str(smi.absolute())
    assert by_directory.path.endswith("/root/opt/rocm/lib/librocm_smi64.so.1.0")
    (in_wheel,) = find_providers(["_ZN5torch4c10d4fakeEv"], [story / WHEEL])
    assert in_wheel.path == f"{story / WHEEL}::/torch/lib/libtorch_cpu.so"
    member = f"{story / WHEEL}::torch/lib/libtorch_cpu.so"
    assert [p.member.display for p in find_providers(["_ZN5torch4c10d4fakeEv"], [member])] == [
        member
    ]


def test_links_in_a_directory_are_followed_wherever_they_lead(story: Path, tmp_path: Path) -> None:
    smi = story / "root/opt/rocm/lib/librocm_smi64.so.1"
    farm = tmp_path / "profile" / "lib"
    farm.mkdir(parents=True)
    for name in ("librocm_smi64.so", "librocm_smi64.so.1"):
        (farm / name).symlink_to(smi.absolute())
    (farm / "libgone.so").symlink_to("/absent")
    (found,) = find_providers(["rsmi_init"], [tmp_path / "profile"])
    assert found.path == str(farm / "librocm_smi64.so")


def test_a_file_that_is_named_twice_is_asked_once(story: Path) -> None:
    smi = story / "root/opt/rocm/lib/librocm_smi64.so.1"
    assert len(list(find_providers(["rsmi_init"], [smi, smi.resolve(), story / "root"]))) == 1


def test_providers_have_version_and_visibility(demo: Path) -> None:
    def versions(*names: str) -> set[str]:
        return {str(p.symbol) for p in find_providers(names, [demo])}

    both = {"old_api@DEMO_1.0", "old_api@@DEMO_2.0"}
    assert versions("old_api") == versions("old_api", "old_api@DEMO_1.0") == both
    assert versions("old_api@DEMO_1.0") == {"old_api@DEMO_1.0"}
    assert versions("old_api@DEMO_2.0") == versions("old_api@@DEMO_2.0") == {"old_api@@DEMO_2.0"}
    assert versions("old_api@@DEMO_1.0") == versions("old_api@DEMO_3.0") == set()
    (protected,) = find_providers(["demo_protected"], [demo])
    assert protected.symbol is not None
    assert protected.symbol.visibility == SymbolVisibility.PROTECTED
    assert answers(protected, "demo_protected")
    assert not answers(protected, "old_api")


def test_what_is_only_undefined_is_not_provided(demo: Path) -> None:
    assert list(find_providers(["dep_call", "demo_absent"], [demo])) == []


def test_broken_files_among_many_are_passed_over(prebuilt: Path, tmp_path: Path) -> None:
    shutil.copy(prebuilt / "shapes/libdep.so.1", tmp_path / "libdep.so.1")
    (tmp_path / "libbroken.so").write_bytes(b"\x7fELF\x02\x01\x01")
    (tmp_path / "libscript.so").write_text("GROUP ( libdep.so.1 )")
    seen: list[str] = []
    (found,) = find_providers(["dep_call"], [tmp_path], progress=seen.append)
    assert found.path == str(tmp_path.resolve() / "libdep.so.1")
    assert len(seen) == 3
    with pytest.raises(ElfFormatError):
        list(find_providers(["dep_call"], [tmp_path / "libbroken.so"]))


def test_places_and_names_that_are_not_there_are_told(prebuilt: Path, story: Path) -> None:
    for place in (prebuilt / "absent", f"{story / WHEEL}::absent", f"{prebuilt}/MANIFEST.json::x"):
        with pytest.raises(SourceError):
            list(find_providers(["x"], [place]))
    for names in ([], [""], ["@VERSION"]):
        with pytest.raises(RequestError, match="name the symbols to look for"):
            find_providers(names, [prebuilt])


def test_the_default_places_are_those_of_this_machine() -> None:
    ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin")
    if ldconfig is None:
        pytest.skip("no ldconfig: not a glibc system")
    cached = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=False).stdout
    if "libc.so.6" not in cached:
        pytest.skip("no libc.so.6 in ld.so.cache")
    assert any(p.soname == "libc.so.6" for p in find_providers(["malloc"]))
