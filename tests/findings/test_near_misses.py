"""Near misses: what is nearly the symbol that is not there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.elf import read_elf
from elfaudit.elf.cxxname import demangle
from elfaudit.findings import Finding
from elfaudit.findings.near_misses import called, function_prefix
from tests.oracle import Workshop, python_dlopen

_BUILD = ["g++", "-shared", "-fPIC", "-O1", "-w", "-nostdlib"]
_LOOSE = "-Wl,--no-as-needed,--unresolved-symbols=ignore-all"


def build(workshop: Workshop, name: str, code: str, *flags: str | Path) -> Path:
    """A C++ library, linked with nothing but what is said."""
    out = workshop.directory / name
    source = workshop.directory / f"{name}.cpp"
    source.write_text(code)
    runpath = "-Wl,-rpath,$ORIGIN"
    command = [*_BUILD, f"-Wl,-soname,{name}", _LOOSE, runpath, "-o", out, source, *flags]
    subprocess.run(command, check=True, capture_output=True)
    return out


def judged(ask: Path) -> Finding:
    """The only unresolved symbol, in the loader's words, and what is told of it."""
    ours = resolve(str(ask))
    assert ours.error is not None
    assert ours.error == python_dlopen(ask).error
    (finding,) = [f for f in ours.findings if f.rule == "unresolved-symbol"]
    return finding


def judged_between(workshop: Workshop, has: str, asks: str) -> Finding:
    """The same, of a library with some code that needs one with other code."""
    return judged(build(workshop, "libask.so", asks, build(workshop, "liblib.so", has)))


@pytest.mark.oracle
class TestCompiled:
    """The compiler makes both sides, the loader refuses, and after the advice it does not."""

    LIB = "#include <string>\nnamespace lib {{ {result} name(const std::string &s) {{ {body} }} }}"
    ASK = (
        "#include <string>\nnamespace lib {{ {result} name(const std::string &); }}\n"
        "void ask(const std::string &s) {{ lib::name(s); }}"
    )

    @pytest.mark.parametrize("new", [0, 1])
    @pytest.mark.parametrize("result", ["int", "std::string"])
    def test_the_other_string(self, workshop: Workshop, new: int, result: str) -> None:
        body = "return 1;" if result == "int" else "throw 1;"
        theirs = f"-D_GLIBCXX_USE_CXX11_ABI={new}"
        lib = build(
            workshop, "liblib.so", self.LIB.format(result=result, body=body), theirs, "-lstdc++"
        )
        source = self.ASK.format(result=result)
        abi = f"-D_GLIBCXX_USE_CXX11_ABI={1 - new}"
        ask = build(workshop, "libask.so", source, abi, lib, "-lstdc++", "-lgcc_s")
        finding = judged(ask)
        assert finding.evidence[0].endswith("the other std::string")
        assert f"rebuild libask.so with {theirs}" in finding.fixes[0].title
        again = build(workshop, "libask.so", source, theirs, lib, "-lstdc++", "-lgcc_s")
        assert python_dlopen(again).error is None

    def test_other_parameters(self, workshop: Workshop) -> None:
        has = "namespace lib { int f(int) { return 1; } }"
        asks = "namespace lib { int f(long); } int ask() { return lib::f(1L); }"
        finding = judged_between(workshop, has, asks)
        assert finding.evidence[0] == "liblib.so has lib::f(int), wanted lib::f(long)"

    def test_of_several_overloads_the_likeliest(self, workshop: Workshop) -> None:
        every = ["int", "long, int", "long, long, char", "char *"]
        has = "".join(f"int f({each}) {{ return 1; }}" for each in every)
        asks = "int f(long, long, short); int ask() { return f(1, 2, 3); }"
        finding = judged_between(workshop, has, asks)
        assert finding.evidence[0] == (
            "liblib.so has f(long, long, char), wanted f(long, long, short)"
        )

    def test_another_optional(self, workshop: Workshop) -> None:
        both = "namespace {} {{ template <class T> struct optional {{ T t; }}; }}\n"
        has = both.format("std") + "int f(std::optional<int>) { return 1; }"
        asks = both.format("c10") + "int f(c10::optional<int>); int ask() { return f({1}); }"
        finding = judged_between(workshop, has, asks)
        assert "f(std::optional<int>), wanted f(c10::optional<int>)" in finding.evidence[0]
        assert "the release of torch" in finding.fixes[0].title

    @pytest.mark.parametrize("c_asks", [False, True])
    def test_the_other_language(self, workshop: Workshop, c_asks: bool) -> None:
        ours, theirs = ('extern "C" ', "") if c_asks else ("", 'extern "C" ')
        has = f"{theirs}int solve(int) {{ return 1; }}"
        asks = f"{ours}int solve(int); int ask() {{ return solve(1); }}"
        finding = judged_between(workshop, has, asks)
        assert "the C function" in finding.evidence[0]
        assert "the C++ function" in finding.evidence[0]
        assert 'extern "C"' in finding.fixes[0].title

    def test_another_version(self, workshop: Workshop) -> None:
        code, script = "int f(void) { return 1; }", "V2 { global: f; };"
        lib = workshop.library("liblib.so", code, script=script)
        asks = "int f(void); int ask(void) { return f(); }"
        ask = workshop.library("libask.so", asks, needed=[lib], runpath="$ORIGIN")
        both = "V1 { global: f; }; V2 { global: g; } V1;"
        workshop.library("liblib.so", code + "int g(void) { return 1; }", script=both)
        finding = judged(ask)
        assert finding.evidence[0] == "liblib.so has f@V1, wanted f@V2: another version"

    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [
            ("int box<float>::get() { return 1; }", "int ask() { return box<int>().get(); }"),
            ("int box<int>::put() { return 1; }", "int ask() { return box<int>().get(); }"),
            ("int operator+(one, one) { return 1; }", "int ask() { return two() + two(); }"),
            ("int box<int>::in::get() { return 1; }", "int ask() { return box<int>().get(); }"),
        ],
    )
    def test_another_class_or_member_is_no_near_miss(
        self, workshop: Workshop, theirs: str, ours: str
    ) -> None:
        """They begin alike, up to the first template argument, and have nothing to do with it."""
        declared = (
            "template <class T> struct box { struct in { int get(); }; int get(); int put(); };\n"
            "struct one {}; struct two {}; int operator+(one, one); int operator+(two, two);\n"
        )
        head = "template <> " if "box<" in theirs else ""
        finding = judged_between(workshop, f"{declared}{head}{theirs}", declared + ours)
        assert finding.evidence[0].startswith("no library looked at exports it")

    def test_a_member_with_other_parameters(self, workshop: Workshop) -> None:
        declared = "template <class T> struct box {{ int get({}); }};\n"
        has = declared.format("int") + "template <> int box<int>::get(int) { return 1; }"
        asks = declared.format("long") + "int ask() { return box<int>().get(1L); }"
        finding = judged_between(workshop, has, asks)
        said = "liblib.so has box<int>::get(int), wanted box<int>::get(long)"
        assert finding.evidence[0] == said

    def test_what_is_like_nothing(self, workshop: Workshop) -> None:
        has = "namespace lib { int fg(int) { return 1; } }"
        asks = "namespace lib { int f(int); } int ask() { return lib::f(1); }"
        finding = judged_between(workshop, has, asks)
        assert finding.evidence[0].startswith("no library looked at exports it")
        assert not finding.fixes


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("_Z1fi", "_Z1f"),
        ("_ZN3c106detail3fooEiRKSs", "_ZN3c106detail3foo"),
        ("_ZN3lib4nameB5cxx11ERKNSt7__cxx1112basic_stringIcEE", "_ZN3lib4name"),
        ("_ZNK2at6Tensor4itemIfEET_v", "_ZNK2at6Tensor4item"),
        ("_ZN3FooC1Ei", "_ZN3FooC1"),
        ("_ZN3FooplERKS_", "_ZN3Foopl"),
        ("_ZNSt6vectorIiE4pushEv", "_ZNSt6vector"),
        ("_ZTVN3c103FooE", None),
        ("_ZN", None),
        ("_Z99f", None),
        ("_ZN3foo", None),
        ("main", None),
        ("_Z" + "1a" * 200, "_Z1a"),
        ("_ZN" + "1a" * 20000 + "E", None),
    ],
)
def test_the_name_of_a_function_up_to_its_parameters(name: str, prefix: str | None) -> None:
    assert function_prefix(name) == prefix


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("f(int)", "f"),
        ("int f<int>(int)", "f"),
        ("std::vector<int>::at(unsigned long) const", "std::vector<int>::at"),
        ("a<b<int> > c::d<x(y)>(int)", "c::d"),
        ("(anonymous namespace)::f(int)", "(anonymous namespace)::f"),
        ("lib::name[abi:cxx11](std::string)", "lib::name"),
        ("A::operator()(int)", "A::operator()"),
        ("A::operator bool() const", "A::operator bool"),
        ("bool operator<<int>(A<int>)", "operator<<"),
        ("std::ostream& std::operator<< <char>(std::ostream&, char)", "std::operator<<"),
        ("A::operator new(unsigned long)", "A::operator new"),
        ('operator"" _kg(int)', 'operator"" _kg'),
        ("operators(int)", "operators"),
        ("plain", "plain"),
        ("", ""),
        (")>x<(", ")>x<("),
    ],
)
def test_what_a_function_is_called(text: str, name: str) -> None:
    assert called(text) == name


def test_names_of_the_standard_library() -> None:
    """As ``c++filt --no-params`` has them, but for what the function itself is a template of."""
    tool, libraries = shutil.which("c++filt"), sorted(Path("/usr/lib").glob("*/libstdc++.so.6"))
    if tool is None or not libraries:
        pytest.skip("c++filt (binutils) or libstdc++ is not installed")
    names = [n for n in dict.fromkeys(read_elf(libraries[0]).symbols.names) if function_prefix(n)]
    done = subprocess.run(
        [tool, "-p"], input="\n".join(names), capture_output=True, text=True, check=True
    )
    pairs = [
        (called(text), theirs.replace("[abi:cxx11]", ""))
        for name, theirs in zip(names, done.stdout.splitlines(), strict=True)
        if "(" in (text := demangle(name))
    ]
    assert len(pairs) > 1000
    for ours, theirs in pairs:
        assert theirs == ours or theirs.startswith((f"{ours}<", f"{ours} <"))
