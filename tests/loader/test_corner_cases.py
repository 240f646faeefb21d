"""Corners where loaders are easily imitated wrongly: the smallest example of each."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.elf import DynamicTag, SymbolBinding, read_elf
from elfaudit.findings import Severity
from elfaudit.loader import Origin
from tests.api.test_process import STEPS
from tests.oracle import Workshop, start
from tests.oracle.compare import judge
from tests.oracle.edit import (
    add_dynamic_entry,
    dynamic_entry_offset,
    dynamic_value,
    patch,
    set_symbol,
    symbol_rows,
)
from tests.oracle.workshop import LOADER

pytestmark = pytest.mark.oracle

DT_NEEDED, DT_DEBUG, DT_SYMBOLIC = 1, 21, 16
DT_GNU_HASH, DT_UNKNOWN = 0x6FFFFEF5, 0x6FFFF000
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


def test_without_a_hash_table_not_even_what_is_its_own_is_found(
    workshop: Workshop, host: Path
) -> None:
    ask = workshop.library("libask.so", "int own(void) { return 1; } int (*ask)(void) = own;")
    judge(host, ask)
    patch(ask, dynamic_entry_offset(ask, DT_GNU_HASH), struct.pack("<Q", DT_UNKNOWN))
    real, _ = judge(host, ask)
    assert real.error == f"{ask}: undefined symbol: own"


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


RELR = ["-Wl,-z,pack-relative-relocs"]
POINTERS = "static int x; int *a = &x, *b = &x;"


def test_relative_relocations_hidden_from_the_c_library(workshop: Workshop, host: Path) -> None:
    """The C library is listed, no version of it required: any requirement of another counts."""
    foo = workshop.library("libfoo.so", F, script="V1 { global: f; };")
    code = f"{ASK} {POINTERS}"
    real, _ = judge(
        host,
        workshop.library(
            "libask.so", code, needed=[foo, "libc.so.6"], runpath="$ORIGIN", flags=RELR
        ),
    )
    assert real.error is not None
    assert "DT_RELR without" in real.error


def test_relative_relocations_of_who_requires_no_version(workshop: Workshop, host: Path) -> None:
    """The C library is listed as well, but nothing says of which version it has to be."""
    ask = workshop.library("libask.so", POINTERS, needed=["libc.so.6"], flags=RELR)
    elf = read_elf(ask)
    assert elf.dynamic is not None
    assert elf.dynamic.value(DynamicTag.RELR) is not None
    assert not elf.versions.needs
    real, _ = judge(host, ask)
    assert real.error is None


def test_relative_relocations_come_before_the_versions_of_the_next(
    workshop: Workshop, host: Path
) -> None:
    foo = workshop.library("libfoo.so", F, script="V1 { global: f; };")
    user = workshop.library(
        "libuser.so", ASK.replace("ask", "use"), needed=[foo], runpath="$ORIGIN"
    )
    code = f"{ASK} int use(void); int both(void) {{ return use(); }} {POINTERS}"
    needed: list[str | Path] = [foo, user, "libc.so.6"]
    ask = workshop.library("libask.so", code, needed=needed, runpath="$ORIGIN", flags=RELR)
    workshop.library("libfoo.so", F, script="V2 { global: f; };")
    judge(host, ask)


def test_an_undefined_symbol_marked_hidden_is_not_looked_up(workshop: Workshop, host: Path) -> None:
    ask = workshop.library("libask.so", "extern int nobody; int *ask(void) { return &nobody; }")
    set_symbol(ask, symbol_rows(ask, "nobody")[0], visibility=2)
    real, _ = judge(host, ask)
    assert real.error is None


def test_the_program_is_not_known_by_its_file(workshop: Workshop, host: Path) -> None:
    judge(host, workshop.library("libask.so", needed=[str(host)]))


def test_another_path_of_the_loader_is_another_object(workshop: Workshop, host: Path) -> None:
    real, ours = judge(host, workshop.library("libask.so", needed=[os.path.realpath(LOADER)]))
    assert real.error is None
    twice = [e for e in ours.link_map.entries if e.path == os.path.realpath(LOADER)]
    assert [entry.origin for entry in twice] == [Origin.DIRECT]


def test_a_preload_without_a_slash_is_not_that_of_the_current_directory(
    workshop: Workshop, host: Path
) -> None:
    workshop.library("libuniquepre.so", F)
    ask = workshop.library("libask.so", ASK)
    real, _ = judge(host, ask, preload=["libuniquepre.so"], cwd=workshop.directory)
    assert real.error is not None


@pytest.mark.parametrize(("offset", "value"), [(6, b"\x02"), (54, b"\x39")])
def test_words_for_a_damaged_header(
    workshop: Workshop, host: Path, offset: int, value: bytes
) -> None:
    patch(workshop.library("libwho.so", F), offset, value)
    judge(host, workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN"))


def test_a_name_that_is_only_asked_for_later(workshop: Workshop) -> None:
    """A requirement of the first dlopen names a library that the second one loads."""
    late = workshop.library("liblate.so", F, script="V1 { global: f; };")
    early = workshop.library("libearly.so", ASK, needed=[late], runpath="$ORIGIN")
    patch(early, dynamic_entry_offset(early, DT_NEEDED), struct.pack("<Q", DT_DEBUG))
    ask = workshop.library("libask.so", ASK, needed=["liblate.so"], runpath="$ORIGIN")
    program = workshop.program("steps", STEPS)
    done = subprocess.run(
        [program, early, "z", ask, "l"], capture_output=True, text=True, check=False
    )
    ours = resolve(str(ask), host=str(program), dlopen=[f"{early}:lazy"])
    assert ours.error == done.stderr.strip()


@pytest.mark.parametrize("name", ["$ORIGIN", "$LIB", "${ORIGIN}x", "lib$PLATFORM.so", "$NONE"])
def test_tokens_in_a_name_without_a_slash(workshop: Workshop, host: Path, name: str) -> None:
    ask = workshop.library("libask.so", F, needed=[name])
    judge(host, ask)


@pytest.mark.parametrize("name", ["$ORIGIN/libwho.so", "libwho.so"])
def test_a_directory_with_a_token_in_its_name(workshop: Workshop, host: Path, name: str) -> None:
    workshop.library("x$LIB/libwho.so", F)
    ask = workshop.library("libask.so", F, needed=[name], runpath="$ORIGIN/x$LIB")
    judge(host, ask)


def test_an_empty_name_is_the_program(workshop: Workshop, host: Path) -> None:
    ask = workshop.library("libask.so", F, needed=["libq.so"])
    raw = ask.read_bytes()
    ask.write_bytes(raw.replace(b"\0libq.so\0", b"\0\0ibq.so\0"))
    real, _ = judge(host, ask)
    assert real.error is None


@pytest.mark.parametrize("binding", [2, 3, 7, 13])
def test_only_a_weak_reference_may_stay_open(workshop: Workshop, host: Path, binding: int) -> None:
    ask = workshop.library("libask.so", ASK)
    (row,) = symbol_rows(ask, "f")
    set_symbol(ask, row, binding=binding)
    real, _ = judge(host, ask)
    assert (real.error is None) == (binding == SymbolBinding.WEAK)


def test_the_words_of_a_process_that_starts(workshop: Workshop) -> None:
    folder = workshop.directory / "libwho.so"
    workshop.library("stub/libwho.so", F)
    code = "int main(void) { return 0; }"
    flags = ["-Wl,--no-as-needed"]
    program = workshop.program("p", code, needed=["libwho.so"], runpath="$ORIGIN", flags=flags)
    folder.mkdir()
    real, ours = start(program), resolve(str(program))
    assert real.error == ours.error
    assert real.error is not None
    assert real.error.endswith("Error 21")
    assert [f.message for f in ours.findings if f.severity is Severity.ERROR] == [real.error]


def test_an_interpreter_that_is_no_loader(workshop: Workshop) -> None:
    text = workshop.directory / "text"
    text.write_text("hello\n")
    text.chmod(0o755)
    code = "int main(void) { return 0; }"
    program = workshop.program("p", code, flags=[f"-Wl,--dynamic-linker={text}"])
    with pytest.raises(OSError, match="Errno"):
        subprocess.run([program], check=True)
    assert "cannot be started" in (resolve(str(program)).error or "")


def test_why_a_preload_is_ignored(workshop: Workshop, host: Path) -> None:
    bad = workshop.directory / "libbad.so"
    ask = workshop.library("libask.so", F)
    for content, words in ((b"x", "file too short"), (b"x" * 99, "invalid ELF header")):
        bad.write_bytes(content)
        environment = {"LD_PRELOAD": str(bad)}
        done = subprocess.run(
            [host, ask], env=environment, capture_output=True, text=True, check=True
        )
        (finding,) = resolve(str(ask), host=str(host), preload=[str(bad)]).findings
        assert words in finding.message
        assert done.stderr == f"ERROR: ld.so: {finding.message}\n"
