"""Which object every reference binds to, judged by ``LD_DEBUG=bindings``."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.findings import Severity, Verdict
from elfaudit.loader import Status
from tests.oracle import Workshop, build_host, dlopen, require_loader, start, trace
from tests.oracle.compare import answer_of, differing_bindings, judge
from tests.oracle.edit import add_dynamic_entry, dynamic_value, patch, set_symbol, symbol_rows

pytestmark = pytest.mark.oracle

DT_SYMBOLIC, DT_VERNEED = 16, 0x6FFFFFFE
SIZE_OF_VERNEED = 16
ASK = "int f(void); int ask(void) { return f(); }"


def provider(ours: object, user: Path, name: str, version: str | None = None) -> str | None:
    """The path of the object that a reference binds to."""
    return answer_of(ours).bindings.get((str(user), name, version))  # type: ignore[arg-type]


class TestVersions:
    """``check_match``: what a reference with a version, and one without, accepts."""

    SCRIPT = "V1 { global: f; local: *; }; V2 { global: f; } V1;"
    BOTH = (
        '__asm__(".symver old,f@V1"); __asm__(".symver new,f@@V2");'
        "int old(void) { return 1; } int new(void) { return 2; }"
    )

    def test_a_version_chooses_among_libraries(self, workshop: Workshop, host: Path) -> None:
        one = workshop.library("libone.so", "int f(void){return 1;}", script="V1 { global: f; };")
        two = workshop.library("libtwo.so", "int f(void){return 2;}", script="V2 { global: f; };")
        ask = workshop.library("libask.so", ASK, needed=[two], runpath="$ORIGIN")
        top = workshop.library("libtop.so", needed=["libone.so", "libask.so"], runpath="$ORIGIN")
        _, ours = judge(host, top)
        assert provider(ours, ask, "f", "V2") == str(two)
        assert one.name in {e.name for e in ours.link_map.entries}

    @pytest.mark.parametrize("version", ["V1", "V2"])
    def test_default_and_hidden_versions(
        self, workshop: Workshop, host: Path, version: str
    ) -> None:
        two = workshop.library("libtwo.so", self.BOTH, script=self.SCRIPT)
        code = f'__asm__(".symver f,f@{version}"); int f(void); int ask(void) {{ return f(); }}'
        ask = workshop.library("libask.so", code, needed=[two], runpath="$ORIGIN")
        _, ours = judge(host, ask)
        assert provider(ours, ask, "f", version) == str(two)

    @pytest.mark.parametrize(
        ("code", "script"),
        [
            ("int f(void) { return 1; }", "V1 { global: f; };"),
            (
                "int f(void) { return 1; } int g(void) { return 2; }",
                "V1 { global: g; }; V2 { global: f; } V1;",
            ),
            (BOTH, SCRIPT),
            ('__asm__(".symver old,f@V1"); int old(void) { return 1; }', SCRIPT),
            (
                (
                    'int a(void) { return 1; } __asm__(".symver a,f@V1");'
                    'int b(void) { return 2; } __asm__(".symver b,f@V2");'
                    'int c(void) { return 3; } __asm__(".symver c,f@V3");'
                ),
                "V1 { global: f; local: *; }; V2 { global: f; } V1; V3 { global: f; } V2;",
            ),
            (
                (
                    'int a(void) { return 1; } __asm__(".symver a,f@V2");'
                    'int b(void) { return 2; } __asm__(".symver b,f@V3");'
                    "int old(void) { return 0; }"
                ),
                "V1 { global: old; local: *; }; V2 { global: f; } V1; V3 { global: f; } V2;",
            ),
        ],
        ids=[
            "first version",
            "second version",
            "two",
            "one hidden",
            "three hidden",
            "later hidden",
        ],
    )
    def test_a_reference_without_a_version(
        self, workshop: Workshop, host: Path, code: str, script: str
    ) -> None:
        workshop.library("libtwo.so", code, script=script)
        ask = workshop.library("libask.so", ASK, needed=["libtwo.so"], runpath="$ORIGIN")
        judge(host, ask)

    def test_a_version_accepts_a_definition_without_any_elsewhere(
        self, workshop: Workshop, host: Path
    ) -> None:
        two = workshop.library("libtwo.so", "int f(void){return 2;}", script="V2 { global: f; };")
        pre = workshop.library("libpre.so", "int f(void) { return 3; }")
        ask = workshop.library("libask.so", ASK, needed=[two], runpath="$ORIGIN")
        _, ours = judge(host, ask, preload=[pre])
        assert provider(ours, ask, "f", "V2") == str(pre)

    def test_a_version_accepts_the_unnamed_one_of_a_versioned_library(
        self, workshop: Workshop, host: Path
    ) -> None:
        two = workshop.library("libtwo.so", "int f(void){return 2;}", script="V2 { global: f; };")
        code = "int f(void) { return 3; } int g(void) { return 4; }"
        pre = workshop.library(
            "libpre.so", code + '__asm__(".symver g,g@@@V9");', script="V9 { global: g; };"
        )
        ask = workshop.library("libask.so", ASK, needed=[two], runpath="$ORIGIN")
        judge(host, ask, preload=[pre])

    def test_another_version_of_a_preload_does_not_count(
        self, workshop: Workshop, host: Path
    ) -> None:
        two = workshop.library("libtwo.so", "int f(void){return 2;}", script="V2 { global: f; };")
        pre = workshop.library("libpre.so", "int f(void){return 3;}", script="V3 { global: f; };")
        ask = workshop.library("libask.so", ASK, needed=[two], runpath="$ORIGIN")
        _, ours = judge(host, ask, preload=[pre])
        assert provider(ours, ask, "f", "V2") == str(two)

    def test_a_version_that_is_gone(self, workshop: Workshop, host: Path) -> None:
        two = workshop.library("libtwo.so", "int f(void){return 2;}", script="V2 { global: f; };")
        ask = workshop.library("libask.so", ASK, needed=[two], runpath="$ORIGIN")
        workshop.library("libtwo.so", "int f(void){return 2;}", script="V1 { global: f; };")
        real, ours = judge(host, ask)
        assert real.error == f"{two}: version `V2' not found (required by {ask})"
        assert ours.findings[0].rule == "version-not-found"
        assert ours.findings[0].symbols == ("f",)

    def test_a_weak_symbol_does_not_make_its_version_optional(
        self, workshop: Workshop, host: Path
    ) -> None:
        two = workshop.library("libtwo.so", "int f(void){return 2;}", script="V2 { global: f; };")
        code = "__attribute__((weak)) int f(void); int ask(void) { return f ? f() : 0; }"
        ask = workshop.library("libask.so", code, needed=[two], runpath="$ORIGIN")
        workshop.library("libtwo.so", "int f(void){return 2;}", script="V1 { global: f; };")
        judge(host, ask)

    def test_a_version_that_is_optional(self, workshop: Workshop, host: Path) -> None:
        two = workshop.library("libtwo.so", "int f(void){return 2;}", script="V2 { global: f; };")
        code = "__attribute__((weak)) int f(void); int ask(void) { return f ? f() : 0; }"
        ask = workshop.library("libask.so", code, needed=[two], runpath="$ORIGIN")
        workshop.library("libtwo.so", "int f(void){return 2;}", script="V1 { global: f; };")
        flags = dynamic_value(ask, DT_VERNEED) + SIZE_OF_VERNEED + 4
        patch(ask, flags, b"\2")  # vna_flags: VER_FLG_WEAK
        real, ours = judge(host, ask)
        assert real.error is None
        assert [f.rule for f in ours.findings] == ["version-not-found"]

    def test_a_library_that_lost_all_its_versions(self, workshop: Workshop, host: Path) -> None:
        code = "int f(void) { return 2; } int g(void); int h(void) { return g(); }"
        base = workshop.library("libbase.so", "int g(void){return 1;}", script="B { global: g; };")
        two = workshop.library(
            "libtwo.so", code, needed=[base], script="V2 { global: f; h; };", runpath="$ORIGIN"
        )
        ask = workshop.library("libask.so", ASK, needed=[two], runpath="$ORIGIN")
        workshop.library("libtwo.so", code, needed=[base], runpath="$ORIGIN")
        real, ours = judge(host, ask)
        assert real.error is None
        assert provider(ours, ask, "f", "V2") == str(two)


class TestScope:
    """Global before local, breadth first, the object itself first only with DT_SYMBOLIC."""

    def test_the_program_before_everything(self, workshop: Workshop) -> None:
        b = workshop.library("libb.so", "int f(void) { return 2; } " + ASK)
        code = "int f(void) { return 1; } int ask(void); int main(void) { return ask() - 1; }"
        program = workshop.program("p", code, needed=[b], runpath="$ORIGIN", flags=["-rdynamic"])
        real, ours = start(program), resolve(str(program))
        assert real.bindings[(str(b), "f", None)] == str(program)
        assert not differing_bindings(real, answer_of(ours))

    def test_preload_before_the_library_that_is_meant(self, workshop: Workshop, host: Path) -> None:
        workshop.library("liba.so", "int f(void) { return 1; }")
        pre = workshop.library("libpre.so", "int f(void) { return 2; }")
        ask = workshop.library("libask.so", ASK, needed=["liba.so"], runpath="$ORIGIN")
        _, ours = judge(host, ask, preload=[pre])
        assert provider(ours, ask, "f") == str(pre)

    def test_two_preloads_in_their_order(self, workshop: Workshop, host: Path) -> None:
        one = workshop.library("libone.so", "int f(void) { return 1; }")
        two = workshop.library("libtwo.so", "int f(void) { return 2; }")
        ask = workshop.library("libask.so", ASK)
        _, ours = judge(host, ask, preload=[two, one])
        assert provider(ours, ask, "f") == str(two)

    def test_global_scope_before_local(self, workshop: Workshop) -> None:
        workshop.library("libglobal.so", "int f(void) { return 1; }")
        workshop.library("liblocal.so", "int f(void) { return 2; }")
        host = build_host(workshop, needed=["libglobal.so"], runpath="$ORIGIN")
        ask = workshop.library("libask.so", ASK, needed=["liblocal.so"], runpath="$ORIGIN")
        _, ours = judge(host, ask)
        assert provider(ours, ask, "f") == str(workshop.directory / "libglobal.so")

    def test_what_is_loaded_locally_is_no_help_to_the_program(
        self, workshop: Workshop, host: Path
    ) -> None:
        pre = workshop.library("libpre.so", ASK + "int ask(void);")
        workshop.library("liba.so", "int f(void) { return 1; }")
        top = workshop.library("libtop.so", needed=["liba.so"], runpath="$ORIGIN")
        ours = resolve(str(top), host=str(host), preload=[str(pre)])
        statuses = {b.reference.path: b.status for b in ours.bindings if b.name == "f"}
        assert statuses == {str(pre): Status.UNRESOLVED}

    def test_a_preload_is_bound_lazily(self, workshop: Workshop, host: Path) -> None:
        pre = workshop.library("libpre.so", ASK)
        top = workshop.library("libtop.so", "int top(void) { return 1; }")
        real = dlopen(host, top, preload=[pre], now=False)
        ours = resolve(str(top), host=str(host), preload=[str(pre)])
        assert (real.error, ours.verdict) == (None, Verdict.LOADS)
        assert [(f.rule, f.severity) for f in ours.findings] == [
            ("unresolved-symbol", Severity.WARNING)
        ]
        for now in ("-Wl,-z,now", "-DDATA"):
            code = f"{ASK}\n#ifdef DATA\nint (*later)(void) = f;\n#endif\n"
            pre = workshop.library("libpre.so", code, flags=[now])
            real = dlopen(host, top, preload=[pre], now=False)
            ours = resolve(str(top), host=str(host), preload=[str(pre)])
            assert ours.error == real.error == f"{pre}: undefined symbol: f"

    def test_first_in_load_order_wins_for_everybody(self, workshop: Workshop, host: Path) -> None:
        a = workshop.library("liba.so", "int f(void) { return 1; }")
        workshop.library("libb.so", "int f(void) { return 2; } int g(void) { return f(); }")
        ask = workshop.library("libask.so", ASK, needed=["libb.so"], runpath="$ORIGIN")
        top = workshop.library("libtop.so", needed=["liba.so", "libask.so"], runpath="$ORIGIN")
        _, ours = judge(host, top)
        assert provider(ours, ask, "f") == str(a)
        assert provider(ours, workshop.directory / "libb.so", "f") == str(a)

    def test_symbolic_looks_in_the_object_itself_first(
        self, workshop: Workshop, host: Path
    ) -> None:
        # A function pointer keeps its reference where -Bsymbolic has bound the calls already.
        code = "int f(void) { return 2; } int g(void) { return f(); }"
        b = workshop.library("libb.so", code)
        add_dynamic_entry(b, DT_SYMBOLIC)
        workshop.library("liba.so", "int f(void) { return 1; }")
        top = workshop.library("libtop.so", needed=["liba.so", "libb.so"], runpath="$ORIGIN")
        _, ours = judge(host, top)
        assert provider(ours, b, "f") == str(b)


class TestKinds:
    """Weak, protected, hidden, unique, IFUNC, TLS, COPY."""

    def test_a_weak_reference_may_stay_open(self, workshop: Workshop, host: Path) -> None:
        code = "__attribute__((weak)) int f(void); int ask(void) { return f ? f() : 0; }"
        ask = workshop.library("libask.so", code)
        _, ours = judge(host, ask)
        assert [b.status for b in ours.bindings if b.name == "f"] == [Status.WEAK_ABSENT]

    def test_a_weak_definition_counts_like_a_strong_one(
        self, workshop: Workshop, host: Path
    ) -> None:
        a = workshop.library("liba.so", "__attribute__((weak)) int f(void) { return 1; }")
        workshop.library("libb.so", "int f(void) { return 2; }")
        ask = workshop.library("libask.so", ASK, needed=["liba.so", "libb.so"], runpath="$ORIGIN")
        _, ours = judge(host, ask)
        assert provider(ours, ask, "f") == str(a)

    def test_weak_here_and_strong_there(self, workshop: Workshop, host: Path) -> None:
        code = "__attribute__((weak)) int f(void); int ask(void) { return f ? f() : 0; }"
        workshop.library("libask.so", code)
        workshop.library("libhard.so", ASK.replace("ask", "hard"))
        top = workshop.library("libtop.so", needed=["libask.so", "libhard.so"], runpath="$ORIGIN")
        real, _ = judge(host, top)
        assert real.error is not None

    @pytest.mark.parametrize("visibility", ["protected", "hidden"])
    def test_visibility_of_a_definition(
        self, workshop: Workshop, host: Path, visibility: str
    ) -> None:
        code = f'__attribute__((visibility("{visibility}"))) int f(void) {{ return 1; }}'
        workshop.library("liba.so", code + "int g(void) { return f(); }")
        workshop.library("libb.so", "int f(void) { return 2; }")
        ask = workshop.library("libask.so", ASK, needed=["liba.so", "libb.so"], runpath="$ORIGIN")
        judge(host, ask)

    def test_a_protected_definition_serves_its_own_object(
        self, workshop: Workshop, host: Path
    ) -> None:
        workshop.library("liba.so", "int f(void) { return 1; }")
        code = (
            '__attribute__((visibility("protected"))) int f(void) { return 2; } int (*g)(void) = f;'
        )
        own = workshop.library("libb.so", code)
        top = workshop.library("libtop.so", needed=["liba.so", "libb.so"], runpath="$ORIGIN")
        real, ours = judge(host, top)
        assert provider(ours, own, "f") == real.bindings[(str(own), "f", None)] == str(own)

    @pytest.mark.parametrize("first", ["", "int f(void) { return 3; }"])
    def test_the_address_of_a_protected_function_in_a_fixed_program(
        self, workshop: Workshop, first: str
    ) -> None:
        """It is the program's PLT entry, unless another object's definition comes first."""
        before = workshop.library("libbefore.so", first)
        function = "int f(void) { return 1; }"
        code = "int (*g(void))(void) { return f; } int h(void) { return f(); }"
        a = workshop.library("liba.so", function + code)
        code = "int f(void); int (*g(void))(void); int main(void) { return g() != f; }"
        needed = [before, a]
        flags = ["-no-pie", "-fno-pie"]
        program = workshop.program("p", code, needed=needed, runpath="$ORIGIN", flags=flags)
        set_symbol(a, *symbol_rows(a, "f"), visibility=3)
        real, ours = start(program), resolve(str(program))
        assert (real.error is None) is not bool(first)  # whether both have the same address
        assert (str(a), "f", None) in real.bindings
        assert not differing_bindings(real, answer_of(ours))

    def test_unique(self, workshop: Workshop, host: Path) -> None:
        code = 'int f = 1; __asm__(".type f,%gnu_unique_object"); int {0}(void) {{ return f; }}'
        workshop.library("liba.so", code.format("a"))
        workshop.library("libb.so", code.format("b"))
        top = workshop.library("libtop.so", needed=["liba.so", "libb.so"], runpath="$ORIGIN")
        judge(host, top)

    def test_ifunc(self, workshop: Workshop, host: Path) -> None:
        code = (
            "static int one(void) { return 1; } static void *pick(void) { return one; }"
            'int f(void) __attribute__((ifunc("pick")));'
        )
        a = workshop.library("liba.so", code)
        ask = workshop.library("libask.so", ASK, needed=["liba.so"], runpath="$ORIGIN")
        _, ours = judge(host, ask)
        assert provider(ours, ask, "f") == str(a)

    def test_tls(self, workshop: Workshop, host: Path) -> None:
        a = workshop.library("liba.so", "__thread int f = 1;")
        code = "extern __thread int f; int ask(void) { return f; }"
        flags = ["-ftls-model=initial-exec"]
        ask = workshop.library(
            "libask.so", code, needed=["liba.so"], runpath="$ORIGIN", flags=flags
        )
        _, ours = judge(host, ask)
        assert provider(ours, ask, "f") == str(a)

    def test_absolute_symbols_of_value_zero(self, workshop: Workshop, host: Path) -> None:
        workshop.library("liba.so", '__asm__(".globl f; f = 0");')
        code = "extern char f[]; char *ask = f;"
        ask = workshop.library("libask.so", code, needed=["liba.so"], runpath="$ORIGIN")
        judge(host, ask)

    def test_copy_relocation(self, workshop: Workshop) -> None:
        a = workshop.library("liba.so", "int f = 1; int g(void) { return f; }")
        code = "extern int f; int g(void); int main(void) { return f - g(); }"
        program = workshop.program(
            "p", code, needed=[a], runpath="$ORIGIN", flags=["-no-pie", "-fno-pie"]
        )
        real, ours = start(program), resolve(str(program))
        assert real.bindings[(str(program), "f", None)] == str(a)
        assert real.bindings[(str(a), "f", None)] == str(program)
        assert answer_of(ours).bindings[(str(a), "f", None)] == str(program)
        assert not differing_bindings(real, answer_of(ours))

    def test_the_address_of_a_function_in_a_fixed_program(self, workshop: Workshop) -> None:
        a = workshop.library("liba.so", "int f(void){return 1;} int (*g(void))(void) { return f; }")
        code = "int f(void); int (*g(void))(void); int main(void) { return g() != f; }"
        flags = ["-no-pie", "-fno-pie", "-fno-plt", "-mno-direct-extern-access"]
        program = workshop.program("p", code, needed=[a], runpath="$ORIGIN", flags=flags[:2])
        real, ours = start(program), resolve(str(program))
        assert real.error is None
        assert not differing_bindings(real, answer_of(ours))


class TestUndefined:
    """Strong references that nobody supplies, and the words for it."""

    def test_a_call(self, workshop: Workshop, host: Path) -> None:
        ask = workshop.library("libask.so", ASK)
        real, ours = judge(host, ask)
        assert real.error == f"{ask}: undefined symbol: f"
        assert ours.verdict is Verdict.FAILS

    def test_data(self, workshop: Workshop, host: Path) -> None:
        ask = workshop.library("libask.so", "extern int f; int *ask(void) { return &f; }")
        judge(host, ask)

    def test_a_version(self, workshop: Workshop, host: Path) -> None:
        both = "int f(void){return 1;} int g(void){return 1;}"
        two = workshop.library("libtwo.so", both, script="V2 { global: f; g; };")
        ask = workshop.library("libask.so", ASK, needed=[two], runpath="$ORIGIN")
        workshop.library(
            "libtwo.so", "int g(void){return 1;}", script="V2 { global: g; local: *; };"
        )
        real, _ = judge(host, ask)
        assert real.error == f"{ask}: undefined symbol: f, version V2"

    def test_the_deepest_dependency_complains_first(self, workshop: Workshop, host: Path) -> None:
        workshop.library("liba.so", "int nobody_a(void); int a(void) { return nobody_a(); }")
        workshop.library(
            "libb.so",
            "int nobody_b(void); int b(void) { return nobody_b(); }",
            needed=["liba.so"],
            runpath="$ORIGIN",
        )
        for order in (["liba.so", "libb.so"], ["libb.so", "liba.so"]):
            top = workshop.library("libtop.so", ASK, needed=order, runpath="$ORIGIN")
            real, _ = judge(host, top)
            assert real.error is not None
            assert "nobody_a" in real.error

    def test_a_missing_library_comes_before_a_missing_symbol(
        self, workshop: Workshop, host: Path
    ) -> None:
        ask = workshop.library("libask.so", ASK, needed=["libnowhere.so.1"])
        _, ours = judge(host, ask)
        assert [f.rule for f in ours.findings] == ["missing-library", "undecided-symbol"]


@pytest.mark.parametrize(
    "path",
    [
        "/usr/bin/python3",
        "/usr/bin/git",
        "/usr/bin/gdb",
        "/usr/bin/perl",
        "/usr/bin/bash",
        "/usr/bin/cmake",
        "/usr/lib/x86_64-linux-gnu/libcurl.so.4",
        "/usr/lib/x86_64-linux-gnu/libcurl-gnutls.so.4",
        "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
        "/usr/lib/x86_64-linux-gnu/libicui18n.so.72",
        "/usr/lib/x86_64-linux-gnu/libxml2.so.2",
        "/usr/lib/x86_64-linux-gnu/libssl.so.3",
        "/usr/lib/x86_64-linux-gnu/libz.so.1",
        "/usr/lib/x86_64-linux-gnu/libpthread.so.0",
    ],
)
def test_programs_and_libraries_of_the_system(path: str) -> None:
    """Every object, every provider and every open symbol is the one ``ldd -r`` reports."""
    require_loader()
    if not Path(path).exists():
        pytest.skip(f"{path} is not installed")
    path = str(Path(path).resolve())
    real, ours = trace(path), answer_of(resolve(path, host="none"))
    assert real.objects == ours.objects
    assert real.undefined == ours.undefined
    # Fixed programs alone differ, as the two expected failures above say: copies of data, and
    # addresses of functions.
    differing = differing_bindings(real, ours)
    assert all(
        (key[0] == path == pair[1] and Path(path).parent.name == "bin") or pair[0] == path
        for key, pair in differing.items()
    ), differing
