"""Corners where loaders are easily imitated wrongly: the smallest example of each."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from elfaudit.api import resolve
from tests.oracle import Workshop, start
from tests.oracle.compare import judge
from tests.oracle.edit import add_dynamic_entry, dynamic_entry_offset, dynamic_value, patch

pytestmark = pytest.mark.oracle

DT_NEEDED, DT_DEBUG, DT_SYMBOLIC = 1, 21, 16
DT_GNU_HASH = 0x6FFFFEF5
F = "int f(void) { return 1; }"
ASK = "int f(void); int ask(void) { return f(); }"


@pytest.mark.parametrize("option", ["-F", "-f"])
def test_filtees(workshop: Workshop, host: Path, option: str) -> None:
    workshop.library("libreal.so", F)
    workshop.library("libfilter.so", F, runpath="$ORIGIN", flags=[f"-Wl,{option},libreal.so"])
    ask = workshop.library("libask.so", ASK, needed=["libfilter.so"], runpath="$ORIGIN")
    judge(host, ask)


def test_a_unique_symbol_and_an_object_that_looks_in_itself_first(
    workshop: Workshop, host: Path
) -> None:
    code = 'int f = 1; __asm__(".type f,%gnu_unique_object"); int {0}(void) {{ return f; }}'
    workshop.library("liba.so", code.format("a"))
    symbolic = workshop.library("libb.so", code.format("b"))
    add_dynamic_entry(symbolic, DT_SYMBOLIC)
    top = workshop.library("libtop.so", needed=["liba.so", "libb.so"], runpath="$ORIGIN")
    judge(host, top)


def test_a_library_that_lost_its_versions_and_the_table_of_them(
    workshop: Workshop, host: Path
) -> None:
    two = workshop.library("libtwo.so", F, script="V2 { global: f; };")
    ask = workshop.library("libask.so", ASK, needed=[two], runpath="$ORIGIN")
    workshop.library("libtwo.so", F)
    judge(host, ask)


def test_a_version_required_from_a_library_that_nobody_lists(
    workshop: Workshop, host: Path
) -> None:
    two = workshop.library("libtwo.so", F, script="V2 { global: f; };")
    ask = workshop.library("libask.so", ASK, needed=[two], runpath="$ORIGIN")
    patch(ask, dynamic_entry_offset(ask, DT_NEEDED), struct.pack("<Q", DT_DEBUG))
    judge(host, ask)


def test_several_undefined_symbols_of_one_object(workshop: Workshop, host: Path) -> None:
    names = [f"f{number}" for number in reversed(range(6))]
    uses = "".join(f"int {name}(void); " for name in names)
    code = f"{uses} int ask(void) {{ return {' + '.join(f'{name}()' for name in names)}; }}"
    judge(host, workshop.library("libask.so", code))


def test_an_object_that_must_not_be_opened(workshop: Workshop, host: Path) -> None:
    judge(host, workshop.library("libask.so", F, flags=["-Wl,-z,nodlopen"]))


def test_a_preload_that_cannot_be_bound(workshop: Workshop, host: Path) -> None:
    pre = workshop.library("libpre.so", "int nobody(void); int (*p)(void) = nobody;")
    ask = workshop.library("libask.so", ASK, needed=["libgone.so"])
    judge(host, ask, preload=[pre])


def test_a_definition_that_the_hash_table_does_not_reach(workshop: Workshop, host: Path) -> None:
    who = workshop.library("libwho.so", F)
    table = dynamic_value(who, DT_GNU_HASH)
    (size,) = struct.unpack_from("<I", who.read_bytes(), table + 8)
    patch(who, table + 16, bytes(8 * size))  # the bloom filter
    judge(host, workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN"))


def test_more_static_tls_than_there_is_room_for(workshop: Workshop, host: Path) -> None:
    code = "__thread char block[1 << 16]; char *ask(void) { return block; }"
    judge(host, workshop.library("libask.so", code, flags=["-ftls-model=initial-exec"]))


def test_a_function_of_the_program_that_is_chosen_when_it_starts(workshop: Workshop) -> None:
    """A library that wants its address is relocated before the program, which must choose."""
    user = workshop.library("libuser.so", "int f(void); int (*p)(void) = f;", soname="libuser.so")
    chosen = "static int one(void) { return 1; } static void *pick(void) { return (void *)one; }"
    code = f'{chosen} int f(void) __attribute__((ifunc("pick"))); int main(void) {{ return !f(); }}'
    flags = ["-Wl,--no-as-needed", "-Wl,--export-dynamic", "-Wl,-z,lazy"]
    program = workshop.program("p", code, needed=[user], runpath="$ORIGIN", flags=flags)
    real, ours = start(program), resolve(str(program))
    assert real.error is not None
    assert "unsatisfiable circular dependency" in real.error
    assert ours.error == real.error
    assert ours.findings[0].message == real.error
