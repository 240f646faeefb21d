"""Where providers are looked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from elfaudit.elf import read_elf
from elfaudit.findings import Catalogue, Place, exported_symbols, library_places
from elfaudit.loader import ObjectStore
from elfaudit.sources import TreeSource, WheelSource
from tests.oracle import Workshop
from tests.oracle.compare import judge


def test_places_of_a_root(story: Path) -> None:
    place = library_places(TreeSource(str(story / "root")))
    assert "/opt/rocm/lib" in (place.directories or ())
    names = sorted(member.path for member in place.members())
    assert "/opt/rocm/lib/librocm_smi64.so.1.0" in names


def test_by_symbol_and_by_name(story: Path) -> None:
    root = TreeSource(str(story / "root"))
    catalogue = Catalogue([library_places(root)], ObjectStore())
    model = read_elf(story / "site-packages/torch/lib/libtorch_hip.so")
    for _ in range(2):  # the second time from memory
        found = catalogue.exporting(["rsmi_init", "nobody"], model)
        assert list(found) == ["rsmi_init"]
    (provider,) = found["rsmi_init"]
    assert [symbol.name for symbol in exported_symbols(provider.elf, "rsmi_init")] == ["rsmi_init"]
    assert (provider.path, provider.soname) == (
        "/opt/rocm/lib/librocm_smi64.so.1",
        "librocm_smi64.so.1",
    )
    assert [p.path for p in catalogue.named("librocm_smi64.so.1", model)] == [provider.path]
    assert not catalogue.named("libnowhere.so", model)


def test_many_names_at_once(story: Path) -> None:
    (wheel,) = story.glob("*.whl")
    source = WheelSource(str(wheel))
    catalogue = Catalogue([Place(source, base=f"{wheel}::")], ObjectStore())
    model = read_elf(story / "site-packages/torch/lib/libtorch_hip.so")
    names = [f"nobody{number}" for number in range(20)]
    for symbol in ("_ZN2at3addEv", "_ZN4c10d5Store3getEv"):
        found = catalogue.exporting([*names, symbol], model)
        assert [p.soname for p in found[symbol]] == ["libtorch_cpu.so"]
        assert found[symbol][0].path == f"{wheel}::/torch/lib/libtorch_cpu.so"


def test_what_is_no_library_or_damaged_supplies_nothing(story: Path, tmp_path: Path) -> None:
    sound = (story / "root/opt/rocm/lib/librocm_smi64.so.1.0").read_bytes()
    (tmp_path / "libtext.so").write_text("INPUT(librocm_smi64.so.1)")
    (tmp_path / "libcut.so").write_bytes(sound[:1000])
    shutil.copy(story.parent / "machines/x86_64/demo", tmp_path / "program.so")
    catalogue = Catalogue([Place(TreeSource(str(tmp_path)))], ObjectStore())
    model = read_elf(story / "site-packages/torch/lib/libtorch_hip.so")
    assert not catalogue.exporting(["rsmi_init"], model)


def test_the_default_version_first(prebuilt: Path) -> None:
    elf = read_elf(prebuilt / "machines/x86_64/libdemo.so")
    assert [s.version for s in exported_symbols(elf, "old_api")] == ["DEMO_2.0", "DEMO_1.0"]
    assert not exported_symbols(elf, "demo_absent")


@pytest.mark.oracle
def test_a_hidden_version_does_not_answer_a_plain_reference(workshop: Workshop, host: Path) -> None:
    code = 'int g(void) { return 1; } __asm__(".symver g,f@V2");'
    two = workshop.library("with/libtwo.so", code, script="V1 { }; V2 { global: f; } V1;")
    ask = workshop.library("libask.so", "int f(void); int ask(void) { return f(); }")
    real, _ = judge(host, ask, preload=[two])
    assert real.error == f"{ask}: undefined symbol: f"
    model = read_elf(ask)
    for names in (["f"], ["f", *map(str, range(20))]):
        catalogue = Catalogue([Place(TreeSource(str(two.parent)))], ObjectStore())
        assert not catalogue.exporting(names, model)


def test_what_is_made_for_another_c_library_is_no_help(workshop: Workshop) -> None:
    places = []
    for libc in ("libc.so.6", "libc.musl-x86_64.so.1"):
        lib = workshop.library(f"{libc}/libwho.so", "int who(void) { return 1; }", needed=[libc])
        places.append(Place(TreeSource(str(lib.parent))))
    for libc in ("libc.so.6", "libc.musl-x86_64.so.1"):
        model = read_elf(workshop.library("libask.so", needed=[libc]))
        catalogue = Catalogue(places, ObjectStore())
        (provider,) = catalogue.exporting(["who"], model)["who"]
        assert provider.elf.needed == (libc,)
        assert [p.elf.needed for p in catalogue.named("libwho.so", model)] == [(libc,)]
