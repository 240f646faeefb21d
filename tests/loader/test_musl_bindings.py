"""musl: which definition a reference gets, what is put off, and the first message."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.elf import DynamicTag, read_elf
from elfaudit.findings import Severity
from elfaudit.loader.environment import Dlopen, Libc, Mode
from elfaudit.loader.libc import libc_of
from tests.oracle import Workshop
from tests.oracle.edit import add_dynamic_entry, dynamic_value, patch
from tests.oracle.musl import MUSL_LOADER, UNBOUND, build_musl_host, list_musl, musl_program
from tests.oracle.musl_prediction import Prediction, judge_musl, predict

pytestmark = [pytest.mark.oracle, pytest.mark.usefixtures("musl_host")]

DT_SYMBOLIC, DT_BIND_NOW = 16, 24
CALL = "int who(void); int ask(void) { return who(); }"
ADDRESS = "int who(void); int ask(void) { int (*volatile p)(void) = who; return p(); }"
DATA = "int who(void); int (*table)(void) = who; int ask(void) { return table(); }"

IFUNC = "static int i(void) { return 1; } static void *r(void) { return i; }"
ASSEMBLED = ".globl who; .text; who: movl $1,%eax; ret"


def who(number: int) -> str:
    return f"int who(void) {{ return {number}; }}"


def asked(
    host: Path, *dlopens: Dlopen | Path, symbol: str = "who", preload: tuple[Path, ...] = ()
) -> tuple[int, Prediction, list[str | None]]:
    """What ``ask`` of the last one returns, our whole answer, and the providers in it."""
    real, ours = judge_musl(host, *dlopens, probes=["ask"], preload=preload)
    last = dlopens[-1]
    path = last.name if isinstance(last, Dlopen) else last
    return real.probes.get("ask", UNBOUND), ours, ours.providers(path, symbol)


class TestLookups:
    """``find_sym2``."""

    def test_a_hidden_version_is_passed_over(self, workshop: Workshop, musl_host: Path) -> None:
        old = '__asm__(".symver v1,who@V1"); int v1(void) { return 1; } int other;'
        workshop.library("libold.so", old, script="V1 { };")
        new = workshop.library("libnew.so", who(2))
        for use in (CALL, ADDRESS, DATA):
            ask = workshop.library(
                "libask.so", use, needed=["libold.so", "libnew.so"], rpath="$ORIGIN"
            )
            number, _, providers = asked(musl_host, ask)
            assert (number, providers) == (2, [str(new)])

    def test_other_versions_do_not_matter(self, workshop: Workshop, musl_host: Path) -> None:
        base = workshop.library("libwho.so", who(1), script="V1 { who; };")
        ask = workshop.library("libask.so", CALL, needed=[base], rpath="$ORIGIN")
        two = workshop.library("libwho.so", who(2), script="V2 { who; };")
        number, ours, providers = asked(musl_host, ask)
        assert (number, providers, ours.error) == (2, [str(two)], None)

    @pytest.mark.parametrize(
        ("code", "found"),
        [
            (who(1), True),
            (f"__attribute__((weak)) {who(1)}", True),
            (f'__attribute__((visibility("protected"))) {who(1)}', True),
            (f'{IFUNC} int who(void) __attribute__((ifunc("r")));', False),
            (f'__asm__(".type who,@gnu_unique_object; {ASSEMBLED}");', True),
            (f'__asm__(".type who,@notype; {ASSEMBLED}");', True),
            ('__asm__(".globl who; .set who,0");', False),
        ],
    )
    def test_kinds_of_definitions(
        self, workshop: Workshop, musl_host: Path, code: str, found: bool
    ) -> None:
        first = workshop.library("libfirst.so", code)
        second = workshop.library("libsecond.so", who(2))
        ask = workshop.library(
            "libask.so", CALL, needed=["libfirst.so", "libsecond.so"], rpath="$ORIGIN"
        )
        number, _, providers = asked(musl_host, ask)
        assert (number, providers) == ((1, [str(first)]) if found else (2, [str(second)]))

    @pytest.mark.parametrize("style", ["gnu", "sysv", "both"])
    def test_both_hash_tables(self, workshop: Workshop, musl_host: Path, style: str) -> None:
        flags = [f"-Wl,--hash-style={style}"]
        uses = "int who(void); int use(void) { return who(); }"  # undefined, and in a sysv table
        workshop.library("libuse.so", uses, flags=flags)
        last = workshop.library("liblast.so", who(3), flags=flags)
        ask = workshop.library(
            "libask.so", CALL, needed=["libuse.so", "liblast.so"], rpath="$ORIGIN", flags=flags
        )
        assert asked(musl_host, ask)[2] == [str(last)]

    def test_a_protected_symbol_is_interposed(self, workshop: Workshop, musl_host: Path) -> None:
        own = f'__attribute__((visibility("protected"))) {who(2)}'
        ask = workshop.library("libask.so", f"{own} {DATA.replace('int who(void);', '')}")
        first = workshop.library("libfirst.so", who(1))
        number, ours, providers = asked(musl_host, ask, preload=(first,))
        if providers != [None]:  # the linker may have made a relative relocation of it
            assert (number, providers) == (1, [str(first)])
        assert ours.error is None

    def test_symbolic_does_not_count(self, workshop: Workshop, musl_host: Path) -> None:
        ask = workshop.library("libask.so", who(2) + CALL.replace("int who(void);", ""))
        add_dynamic_entry(ask, DT_SYMBOLIC)
        first = workshop.library("libfirst.so", who(1))
        number, _, providers = asked(musl_host, ask, preload=(first,))
        assert (number, providers) == (1, [str(first)])

    def test_weak_references(self, workshop: Workshop, musl_host: Path) -> None:
        code = (
            "__attribute__((weak)) int who(void); int ask(void)"
            f" {{ int (*volatile p)(void) = who; return p ? p() : {UNBOUND}; }}"
        )
        ask = workshop.library("libask.so", code)
        number, ours, providers = asked(musl_host, ask)
        assert (number, providers, ours.error) == (UNBOUND, [None], None)

    def test_breadth_first_and_global_first(self, workshop: Workshop, musl_host: Path) -> None:
        workshop.library("libdeep.so", who(1))
        near = workshop.library("libnear.so", who(2))
        workshop.library("libmid.so", needed=["libdeep.so"], rpath="$ORIGIN")
        ask = workshop.library(
            "libask.so", CALL, needed=["libmid.so", "libnear.so"], rpath="$ORIGIN"
        )
        assert asked(musl_host, ask)[2] == [str(near)]
        other = workshop.library("libother.so", who(3))
        assert asked(musl_host, other, ask)[2] == [str(near)]
        assert asked(musl_host, Dlopen(str(other), Mode.GLOBAL), ask)[2] == [str(other)]
        deep = Dlopen(str(ask), Mode.DEEPBIND)
        assert predict(
            musl_host, Dlopen(str(other), Mode.GLOBAL), deep
        ).providers(ask, "who") == [str(other)]  # fmt: skip

    def test_what_was_opened_for_itself_is_made_global_later(
        self, workshop: Workshop, musl_host: Path
    ) -> None:
        one = workshop.library("libone.so", who(1))
        two = workshop.library("libtwo.so", who(2))
        ask = workshop.library("libask.so", CALL)
        for mode in (Mode.LOCAL, Mode.GLOBAL):
            opens = [
                Dlopen(str(one)), Dlopen(str(two), Mode.GLOBAL), Dlopen(str(one), mode)
            ]  # fmt: skip
            assert asked(musl_host, *opens, ask)[2] == [str(two)]  # what was first global is first
        _, ours, _ = asked(musl_host, Dlopen(str(one), Mode.GLOBAL), Dlopen(str(two)), ask)
        assert ours.error is None


class TestPrograms:
    """The start, copies, and the addresses of a program's own slots."""

    def test_a_slot_of_the_program_answers_addresses_only(self, workshop: Workshop) -> None:
        lib = workshop.library("libwho.so", who(7))
        program = build_musl_host(
            workshop, needed=[lib], code="int who(void); void *point(void) { return who; }",
            flags=["-no-pie", "-fno-pie", "-Wl,-rpath,$ORIGIN"],
        )  # fmt: skip
        expected = {CALL: str(lib), ADDRESS: str(program), DATA: str(program)}
        for use, provider in expected.items():
            ask = workshop.library("libask.so", use)
            number, _, providers = asked(program, ask)
            assert (number, providers) == (7, [provider])

    def test_copies(self, workshop: Workshop) -> None:
        first = workshop.library("libfirst.so", "int number = 5;")
        workshop.library("libsecond.so", "int number = 6;")
        code = "extern int number; int told(void) { return number; }"
        program = build_musl_host(
            workshop, needed=[first, "libsecond.so"], code=code,
            flags=["-no-pie", "-fno-pie", "-Wl,-rpath,$ORIGIN", "-rdynamic"],
        )  # fmt: skip
        real, ours = judge_musl(program, probes=["told"])
        bindings = list(ours.bindings.all_of(ours.link_map.subject, "number"))
        assert real.probes == {"told": 5}
        provider = bindings[0].provider
        assert bindings[0].copied
        assert provider is not None
        assert provider.path == str(first)
        ask = workshop.library("libask.so", "extern int number; int ask(void) { return number; }")
        assert asked(program, ask, symbol="number")[2] == [str(program)]

    def test_a_missing_copy(self, workshop: Workshop) -> None:
        lib = workshop.library("libwho.so", "int number = 5;")
        code = "extern int number; int told(void) { return number; }"
        program = build_musl_host(
            workshop, needed=[lib], code=code,
            flags=["-no-pie", "-fno-pie", "-Wl,-rpath,$ORIGIN", "-rdynamic"],
        )  # fmt: skip
        workshop.library("libwho.so", "int other = 5;")
        _, ours = judge_musl(program)
        assert ours.error == f"Error relocating {program}: number: symbol not found"

    def test_preloads_stand_before_what_the_program_needs(self, workshop: Workshop) -> None:
        workshop.library("libwho.so", who(1), needed=["libdeep.so"], rpath="$ORIGIN")
        workshop.library("libdeep.so")
        first = workshop.library("libfirst.so", who(2), needed=["libafter.so"], rpath="$ORIGIN")
        workshop.library("libafter.so")
        program = build_musl_host(
            workshop, needed=["libwho.so"], flags=["-Wl,-rpath,$ORIGIN"],
            code=CALL,
        )  # fmt: skip
        _, ours = judge_musl(program, preload=[first])
        assert [os.path.basename(path) for path in ours.objects] == [
            "libfirst.so", "libwho.so", os.path.basename(MUSL_LOADER), "libafter.so", "libdeep.so",
        ]  # fmt: skip

    def test_preloads_in_their_order(self, workshop: Workshop, musl_host: Path) -> None:
        one = workshop.library("libone.so", who(1))
        two = workshop.library("libtwo.so", who(2))
        ask = workshop.library("libask.so", CALL)
        assert asked(musl_host, ask, preload=(two, one))[2] == [str(two)]

    def test_the_first_line_of_a_start_that_fails(self, workshop: Workshop) -> None:
        workshop.library("libone.so", CALL, needed=["libgone.so", "libtwo.so"], rpath="$ORIGIN")
        workshop.library("libtwo.so", CALL, needed=["libgone2.so"])
        program = musl_program(
            workshop, "program", "int who(void); int main(void) { return who(); }",
            needed=["libone.so", "libgone3.so"], flags=["-Wl,-rpath,$ORIGIN"],
        )  # fmt: skip
        real, ours = judge_musl(program)
        assert len(real.start) == 5
        assert [e.name for e in ours.link_map.missing] == [
            "libgone3.so", "libgone.so", "libgone2.so"
        ]  # fmt: skip

    def test_two_programs_at_one_address(self, workshop: Workshop, musl_host: Path) -> None:
        flags = ["-no-pie", "-fno-pie"]
        one = musl_program(workshop, "one", flags=flags)
        two = musl_program(workshop, "two", flags=flags)
        _, ours = judge_musl(musl_host, one)
        assert ours.error is None
        _, ours = judge_musl(musl_host, one, two)
        assert ours.error == f"Error loading shared library {two}: Resource busy"
        far = musl_program(workshop, "far", flags=[*flags, "-Wl,-Ttext-segment=0x700000"])
        assert judge_musl(musl_host, one, far)[1].error is None

    def test_the_program_is_relocated_last(self, workshop: Workshop) -> None:
        lib = workshop.library("libone.so", who(1))
        program = musl_program(
            workshop, "program", "int who(void); int main(void) { return who(); }",
            needed=[lib], flags=["-Wl,-rpath,$ORIGIN"],
        )  # fmt: skip
        workshop.library("libone.so", needed=["libtwo.so"], rpath="$ORIGIN")
        two = workshop.library("libtwo.so", CALL)
        real, ours = judge_musl(program)
        assert [line.split()[2] for line in real.start] == [f"{two}:", f"{program}:"]
        assert ours.error == f"Error relocating {two}: who: symbol not found"

    def test_a_library_for_the_program(self, workshop: Workshop) -> None:
        workshop.library("libwho.so", who(1))
        ask = workshop.library("libask.so", CALL, needed=["libwho.so", "libc.so"], rpath="$ORIGIN")
        real = list_musl(ask)
        ours = predict(ask)
        assert (real.objects, real.start, ours.error) == (ours.objects, (), None)
        bad = workshop.library("libbad.so", CALL, needed=["libgone.so"])
        real, ours = list_musl(bad), predict(bad)
        assert real.start[0] == ours.error


class TestLazy:
    """``RTLD_LAZY`` puts slots and GOT entries off, nothing else."""

    @pytest.mark.parametrize("use", [CALL, ADDRESS])
    def test_put_off(self, workshop: Workshop, musl_host: Path, use: str) -> None:
        # With RELRO musl writes to a GOT that it has made read-only itself, and crashes.
        ask = workshop.library("libask.so", use, flags=["-Wl,-z,norelro"])
        late = workshop.library("liblate.so", who(4))
        lazy = Dlopen(str(ask), Mode.LAZY)
        _, ours = judge_musl(musl_host, lazy)
        assert ours.error is None
        assert [b.lazy for b in ours.bindings.open_references()] == [True]
        _, ours = judge_musl(musl_host, ask)
        assert ours.error == f"Error relocating {ask}: who: symbol not found"
        for mode, expected in ((Mode.GLOBAL, 4), (Mode.LOCAL, UNBOUND)):
            real, ours = judge_musl(musl_host, lazy, Dlopen(str(late), mode), probes=["ask"])
            assert real.probes == {"ask": expected}
            assert ours.providers(ask, "who") == [str(late) if expected == 4 else None]

    def test_what_is_made_global_later_is_looked_at(
        self, workshop: Workshop, musl_host: Path
    ) -> None:
        ask = workshop.library("libask.so", CALL)
        late = Dlopen(str(workshop.library("liblate.so", who(4))))
        opens = [late, Dlopen(str(ask), Mode.LAZY), Dlopen(late.name, Mode.GLOBAL)]
        real, ours = judge_musl(musl_host, *opens, probes=["ask"])
        assert (real.probes, ours.providers(ask, "who")) == ({"ask": 4}, [late.name])

    def test_data_is_not(self, workshop: Workshop, musl_host: Path) -> None:
        ask = workshop.library("libask.so", DATA)
        _, ours = judge_musl(musl_host, Dlopen(str(ask), Mode.LAZY))
        assert ours.error == f"Error relocating {ask}: who: symbol not found"

    @pytest.mark.parametrize("value", [0, 1])
    def test_bind_now(self, workshop: Workshop, musl_host: Path, value: int) -> None:
        now = workshop.library("libnow.so", CALL, flags=["-Wl,-z,now"])
        _, ours = judge_musl(musl_host, Dlopen(str(now), Mode.LAZY))
        assert ours.error is not None
        old = workshop.library("libold.so", CALL)
        add_dynamic_entry(old, DT_BIND_NOW, value)
        _, ours = judge_musl(musl_host, Dlopen(str(old), Mode.LAZY))
        assert (ours.error is None) == (value == 0)


class TestMessages:
    """``Error relocating``."""

    def test_slots_before_the_other_tables(self, workshop: Workshop, musl_host: Path) -> None:
        code = "int aa(void); int zz(void); int (*p)(void) = aa; int ask(void) { return zz(); }"
        ask = workshop.library("libask.so", code)
        _, ours = judge_musl(musl_host, ask)
        assert ours.error == f"Error relocating {ask}: zz: symbol not found"

    def test_objects_in_load_order(self, workshop: Workshop, musl_host: Path) -> None:
        workshop.library("libdeep.so", "int first(void); int f(void) { return first(); }")
        ask = workshop.library("libask.so", CALL, needed=["libdeep.so"], rpath="$ORIGIN")
        _, ours = judge_musl(musl_host, ask)
        assert ours.error == f"Error relocating {ask}: who: symbol not found"

    def test_rows_in_their_order(self, workshop: Workshop, musl_host: Path) -> None:
        names = ("mm", "aa", "zz", "bb")
        code = "".join(f"int {n}(void); " for n in names)
        calls = " + ".join(f"{n}()" for n in names)
        ask = workshop.library("libask.so", f"{code} int ask(void) {{ return {calls}; }}")
        judge_musl(musl_host, ask)

    def test_a_defined_symbol_that_will_not_do(self, workshop: Workshop, musl_host: Path) -> None:
        own = 'int who(void) __attribute__((ifunc("r"))); int ask(void) { return who(); }'
        code = f"{IFUNC} {own}"
        ask = workshop.library("libask.so", code)
        _, ours = judge_musl(musl_host, ask)
        assert ours.error == f"Error relocating {ask}: who: symbol not found"

    def test_unsupported_relocations(self, workshop: Workshop, musl_host: Path) -> None:
        own = 'static int own(void) __attribute__((ifunc("r"))); int ask(void) { return own(); }'
        code = f"{IFUNC} {own}"
        ask = workshop.library("libask.so", code)
        _, ours = judge_musl(musl_host, ask)
        assert ours.error == f"Error relocating {ask}: unsupported relocation type 37"
        told = resolve(str(ask), host=str(musl_host), libc="musl")
        assert (told.error, told.findings[0].message) == (ours.error, ours.error)

    def test_one_finding_for_a_missing_library(self, workshop: Workshop, musl_host: Path) -> None:
        ask = workshop.library("libask.so", needed=["libgone.so"])
        _, ours = judge_musl(musl_host, ask)
        told = resolve(str(ask), host=str(musl_host), libc="musl")
        errors = [f.message for f in told.findings if f.severity is Severity.ERROR]
        assert errors == [told.error] == [ours.error]

    @pytest.mark.parametrize("kind", [9, 10, 25, 38, 42])
    def test_unsupported_types_with_a_symbol(
        self, workshop: Workshop, musl_host: Path, kind: int
    ) -> None:
        workshop.library("libwho.so", who(1))
        for needed in (["libwho.so"], []):
            ask = workshop.library("libask.so", CALL, needed=needed, rpath="$ORIGIN")
            patch(ask, dynamic_value(ask, DynamicTag.JMPREL) + 8, struct.pack("<I", kind))
            judge_musl(musl_host, ask)

    def test_nothing_is_asked_of_the_machine(self, workshop: Workshop, musl_host: Path) -> None:
        ask = workshop.library("libask.so", who(1))
        patch(ask, 18, struct.pack("<H", 183))
        _, ours = judge_musl(musl_host, ask)
        assert ours.error is None

    def test_a_failed_dlopen_leaves_nothing(self, workshop: Workshop, musl_host: Path) -> None:
        workshop.library("libgood.so", who(1))
        half = workshop.library("libhalf.so", needed=["libgood.so", "libgone.so"], rpath="$ORIGIN")
        bad = workshop.library("libbad.so", f"{who(3)} int none(void); int (*p)(void) = none;")
        ask = workshop.library("libask.so", needed=["libgood.so"])
        for first in (half, bad):
            judge_musl(musl_host, Dlopen(str(first), Mode.GLOBAL), ask)
        use = workshop.library("libuse.so", CALL)
        judge_musl(musl_host, Dlopen(str(bad), Mode.GLOBAL), use)


class TestThreadLocal:
    """Initial-exec TLS needs its symbol in the static block."""

    OWN = "__thread int mine = 1; int ask(void) { return mine; }"
    HIDDEN = "static __thread int mine; int ask(void) { return ++mine; }"
    STATIC = ("-ftls-model=initial-exec",)

    @pytest.mark.parametrize("code", [OWN, HIDDEN])
    def test_in_what_is_opened(self, workshop: Workshop, musl_host: Path, code: str) -> None:
        ask = workshop.library("libask.so", code, flags=self.STATIC)
        _, ours = judge_musl(musl_host, ask)
        assert "initial-exec TLS resolves to dynamic definition in" in (ours.error or "")
        judge_musl(musl_host, ask, preload=[ask])

    @pytest.mark.parametrize(
        "own", ["", "int zz(void) { return 1; } int use(void) { return zz(); }"]
    )
    def test_without_a_symbol_it_tells_what_it_had_last(
        self, workshop: Workshop, musl_host: Path, own: str
    ) -> None:
        workshop.library("libtls.so", f"{own} {self.HIDDEN}", flags=self.STATIC)
        code = f"{who(1)} int call(void) {{ return who(); }}"
        ask = workshop.library("libask.so", code, needed=["libtls.so"], rpath="$ORIGIN")
        _, ours = judge_musl(musl_host, ask)
        assert f": {'zz' if own else 'who'}: initial-exec" in (ours.error or "")

    def test_in_another(self, workshop: Workshop, musl_host: Path) -> None:
        lib = workshop.library("libtls.so", "__thread int mine = 1;")
        code = "extern __thread int mine; int ask(void) { return mine; }"
        ask = workshop.library(
            "libask.so", code, needed=["libtls.so"], rpath="$ORIGIN", flags=self.STATIC
        )
        _, ours = judge_musl(musl_host, ask)
        assert (ours.error or "").endswith(f"dynamic definition in {lib}")
        assert asked(musl_host, ask, symbol="mine", preload=(lib,))[2] == [str(lib)]

    def test_general_dynamic_is_fine(self, workshop: Workshop, musl_host: Path) -> None:
        ask = workshop.library("libask.so", self.OWN, needed=["libc.so"])
        number, ours, _ = asked(musl_host, ask, symbol="mine")
        assert (number, ours.error) == (1, None)


def test_the_loaders_own_large_file_names(workshop: Workshop, musl_host: Path) -> None:
    code = "int open64(void); void *p = open64; int readdir64_r(void); void *q = readdir64_r;"
    ask = workshop.library("libask.so", code, needed=["libc.so"])
    _, ours = judge_musl(musl_host, ask)
    assert ours.providers(ask, "open64") == ours.providers(ask, "readdir64_r") == [MUSL_LOADER]
    bad = workshop.library("libbad.so", "int who64(void); void *p = who64;", needed=["libc.so"])
    judge_musl(musl_host, bad)


def test_large_file_names_that_only_newer_loaders_know(workshop: Workshop) -> None:
    """musl 1.2.4 and newer export ``fopen`` alone, and give it to whoever asks for ``fopen64``."""
    code = "int __libc_start_main = 1, stdin = 1, fopen = 1, readdir_r = 1, who = 1;"
    loader = workshop.library("root/lib/ld-musl-x86_64.so.1", code)
    names = ("fopen64", "readdir64_r", "readdir_r64", "who64")
    code = "".join(f"extern int {name}; void *p_{name} = &{name};" for name in names)
    workshop.library("root/libask.so", code, needed=["libc.so"])
    ours = predict("/libask.so", root=str(workshop.directory / "root"))
    inside = str(loader).removeprefix(str(workshop.directory / "root"))
    assert [ours.providers("/libask.so", name) for name in names] == [
        [inside], [inside], [None], [None]
    ]  # fmt: skip
    assert ours.error in {
        f"Error relocating /libask.so: {name}: symbol not found" for name in names[2:]
    }


def test_whose_a_file_is(workshop: Workshop, musl_host: Path) -> None:
    program = read_elf(musl_host)
    assert libc_of(program) is Libc.MUSL
    for needed, expected in (
        (["libc.so"], Libc.MUSL),
        (["libother.so", "libc.musl-x86_64.so.1"], Libc.MUSL),
        (["libc.so.6"], Libc.GLIBC),
        (["libother.so"], Libc.GLIBC),
    ):
        elf = read_elf(workshop.library("libx.so", needed=needed))
        assert libc_of(elf) is expected
        ours = expected if "libc" in "".join(needed) else Libc.MUSL
        assert libc_of(elf, program) is ours
    assert libc_of(read_elf(workshop.program("glibc", "int main(void) { return 0; }"))) is (
        Libc.GLIBC
    )
