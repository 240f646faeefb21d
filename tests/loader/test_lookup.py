"""Keys of references, and what answers them."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.elf import read_elf
from elfaudit.loader.lookup import answers_plain, index_symbols, plain_names
from elfaudit.loader.references import relocated, split_key
from tests.elf import judge
from tests.oracle import Workshop


def key_of(name: str, version: str | None) -> str:
    return name if version is None else f"{name}\0{version}"


@pytest.mark.parametrize(("name", "version"), [("f", None), ("f", "V1"), ("f", ""), ("", None)])
def test_keys(name: str, version: str | None) -> None:
    assert split_key(key_of(name, version)) == (name, version)


def test_of_a_library_with_versions(prebuilt: Path) -> None:
    exports = index_symbols(read_elf(prebuilt / "machines/x86_64/libdemo.so")).exports
    answered = {
        key: exports.answers(key_of("old_api", key)) for key in ("DEMO_1.0", "DEMO_2.0", "X", None)
    }
    assert answered == {"DEMO_1.0": True, "DEMO_2.0": True, "X": False, None: True}
    assert not exports.answers("demo_absent")


def test_references_of_a_library(prebuilt: Path) -> None:
    references = index_symbols(read_elf(prebuilt / "machines/x86_64/libdemo.so")).references
    names = {"dep_call", "dep_data", "dep_tls"}
    assert {key_of(name, "DEP_1.0") for name in names} <= references.keys
    assert references.libraries[key_of("dep_call", "DEP_1.0")] == "libdep.so.1"
    # The address of what is called is taken, too.
    assert not relocated(read_elf(prebuilt / "machines/x86_64/libdemo.so")).lazy
    assert "demo_absent" in references.weak


def test_what_is_only_called_is_lazy(story: Path) -> None:
    library = story / "site-packages/torch/lib/libtorch_hip.so"
    found = relocated(read_elf(library))
    assert "rsmi_init" in found.lazy
    assert "_ZTVN4c10d5StoreE" in found.references.keys - found.lazy


def test_without_a_version_table(prebuilt: Path) -> None:
    exports = index_symbols(read_elf(prebuilt / "shapes/libdlopen.so")).exports
    assert exports.any_version == exports.plain
    for name in exports.plain:
        assert exports.answers(key_of(name, "ANY"))


@pytest.mark.parametrize(
    "name",
    ["machines/x86_64/libdemo.so", "shapes/libdemo-gnu.so", "shapes/libdep.so.1"],
)
def test_what_a_reference_without_a_version_gets(prebuilt: Path, name: str) -> None:
    elf = read_elf(prebuilt / name)
    expected = index_symbols(elf).exports.plain
    assert plain_names(elf.symbols) == expected
    exported = {symbol.name for symbol in elf.symbols.exports()}
    found = {n: [s for s in elf.symbols.exports() if s.name == n] for n in exported}
    assert {n for n in exported if answers_plain(elf.symbols, found[n])} == expected


@pytest.mark.oracle
def test_definitions_that_are_worth_a_word(workshop: Workshop, nm: str) -> None:
    """Functions and variables that are not weak, as ``nm`` tells them."""
    code = """
    int f(void) { return 1; } __attribute__((weak)) int wf(void) { return 2; }
    int v = 3; __attribute__((weak)) int wv = 4; __thread int t; const int r = 5; int b;
    __asm__(".globl n; n:");
    static int (*choose(void))(void) { return f; }
    int i(void) __attribute__((ifunc("choose")));
    """
    path = workshop.library("libf.so", code)
    listed = [line.split()[-2:] for line in judge.text(nm, "-D", path).splitlines()]
    assert {name for kind, name in listed if kind in "TDBRi"} == {*"fvrbtin"}
    assert {name for kind, name in listed if kind in "WV"} == {"wf", "wv"}
    exports = index_symbols(read_elf(path)).exports
    assert exports.strong == {*"fvrbi"}
    assert exports.plain == {*"fvrbtin", "wf", "wv"}
