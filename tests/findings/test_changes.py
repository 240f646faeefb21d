"""The comparison of two files: judged by readelf, nm and abidiff, on libraries that gcc built."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from elfaudit import Aspect, BuildChange, ChangeSeverity, Verdict, read_elf
from elfaudit.findings.changed_facts import _needed
from elfaudit.findings.changed_metadata import changed_metadata, changed_tags
from elfaudit.findings.changed_modules import changed_modules, difference_of_names
from elfaudit.findings.changed_names import removed, renamed
from elfaudit.findings.changed_verdicts import FileVerdict, changed_verdict
from elfaudit.findings.compare import changed_mode, compare_files, unreadable_files
from elfaudit.findings.pairing import Candidate, pair
from elfaudit.findings.stems import Role, library_stem, role_of
from elfaudit.pydist import Metadata, WheelInfo
from tests.oracle.workshop import Workshop

BREAKING, NOTABLE, HARMLESS = (
    ChangeSeverity.BREAKING,
    ChangeSeverity.NOTABLE,
    ChangeSeverity.HARMLESS,
)


def compared(old: Path, new: Path, name: str = "libx.so") -> dict[Aspect, list[BuildChange]]:
    """The changes by aspect."""
    found: dict[Aspect, list[BuildChange]] = {}
    for change in compare_files(read_elf(old), read_elf(new), name, name):
        found.setdefault(change.aspect, []).append(change)
    return found


def items(changes: dict[Aspect, list[BuildChange]], aspect: Aspect) -> set[str]:
    """Names with versions of all that changed so."""
    return {
        f"{item.name}@{item.version}" if item.version else item.name
        for change in changes.get(aspect, ())
        for item in change.items
    }


def nm(path: Path, *options: str) -> Iterator[tuple[str, str]]:
    """(type letter, name with one @) of the dynamic symbols, as nm has them."""
    text = subprocess.run(
        ["nm", "-D", *options, str(path)], capture_output=True, text=True, check=True
    ).stdout
    for line in text.splitlines():
        kind, name = line.split()[-2:]
        yield kind, name.replace("@@", "@")


def exported(path: Path) -> set[str]:
    """Names of what others can bind to, without the symbols that stand for versions."""
    return {name for kind, name in nm(path, "--defined-only") if kind != "A"}


CODE_OLD = """
int kept(void) { return 1; }
int lost(void) { return 2; }
__attribute__((weak)) int softer(void) { return 3; }
int table[4] = {1, 2, 3, 4};
int other = 1;
_Thread_local int local = 4;
extern int foreign(void); extern int __attribute__((weak)) maybe(void);
int use(void) { return foreign() + (maybe ? maybe() : 0); }
"""
CODE_NEW = """
int kept(void) { return 1; }
int gained(void) { return 2; }
int softer(void) { return 3; }
int table[8] = {1, 2, 3, 4};
int other(void) { return 1; }
_Thread_local int local = 4;
extern int foreign2(void); extern int maybe(void);
int use(void) { return foreign2() + maybe(); }
"""


@pytest.fixture
def both(workshop: Workshop) -> tuple[Path, Path]:
    return (
        workshop.library("old/libx.so", CODE_OLD, needed=["liba.so", "libssl.so.1.1"], rpath="/a"),
        workshop.library("new/libx.so", CODE_NEW, needed=["libb.so", "libssl.so.3"], runpath="/a"),
    )


def test_exports_are_lost_and_gained_as_nm_tells(both: tuple[Path, Path], nm: str) -> None:
    changes = compared(*both)
    was, now = (exported(path) for path in both)
    assert items(changes, Aspect.EXPORTS_LOST) == was - now == {"lost"}
    assert items(changes, Aspect.EXPORTS_GAINED) == now - was == {"gained"}
    assert changes[Aspect.EXPORTS_LOST][0].severity is BREAKING
    assert changes[Aspect.EXPORTS_GAINED][0].severity is HARMLESS


def test_references_come_and_go_as_nm_tells(both: tuple[Path, Path], nm: str) -> None:
    changes = compared(*both)
    was, now = ({n for _, n in globals()["nm"](path, "--undefined-only")} for path in both)
    assert items(changes, Aspect.REFERENCES_ADDED) == now - was == {"foreign2"}
    assert items(changes, Aspect.REFERENCES_REMOVED) == was - now == {"foreign"}
    assert items(changes, Aspect.REFERENCE_BINDING) == {"maybe"}


def test_what_a_symbol_is_is_compared(both: tuple[Path, Path]) -> None:
    changes = compared(*both)
    (size,) = changes[Aspect.OBJECT_SIZE]
    assert [(i.name, i.old, i.new) for i in size.items] == [("table", "16", "32")]
    assert size.severity is BREAKING
    (kind,) = changes[Aspect.EXPORT_TYPE]
    assert [(i.name, i.old, i.new) for i in kind.items] == [("other", "OBJECT", "FUNC")]
    (binding,) = changes[Aspect.BINDING]
    assert [(i.name, i.old, i.new) for i in binding.items] == [("softer", "WEAK", "GLOBAL")]


def test_what_is_listed_is_compared_as_readelf_has_it(
    both: tuple[Path, Path], readelf: str
) -> None:
    def listed(path: Path, tag: str) -> list[str]:
        text = subprocess.run(
            [readelf, "-dW", path], capture_output=True, text=True, check=True
        ).stdout
        return re.findall(rf"\({tag}\).*\[(.*)\]", text)

    changes = compared(*both)
    assert listed(both[0], "NEEDED") == ["liba.so", "libssl.so.1.1"]
    assert listed(both[1], "NEEDED") == ["libb.so", "libssl.so.3"]
    assert items(changes, Aspect.NEEDED_ADDED) == {"libb.so"}
    assert items(changes, Aspect.NEEDED_REMOVED) == {"liba.so"}
    (replaced,) = changes[Aspect.NEEDED_REPLACED]
    assert (replaced.old, replaced.new) == ("libssl.so.1.1", "libssl.so.3")
    (rpath,), (runpath,) = changes[Aspect.RPATH], changes[Aspect.RUNPATH]
    assert (rpath.old, rpath.new) == ("/a", None) == (*listed(both[0], "RPATH"), None)
    assert (runpath.old, runpath.new) == (None, *listed(both[1], "RUNPATH"))


@pytest.mark.parametrize(
    ("old", "new", "added", "removed", "ordered"),
    [
        ("a b c", "a c b", "", "", True),
        ("a b c", "c b a d", "d", "", True),
        ("a b c", "a c", "", "b", False),
        ("a b", "a b b", "", "", False),
        ("libm-1a2b3c4d.so.1 b", "b libm-99999999.so.1", "", "", True),
    ],
)
def test_the_order_of_needed_is_told(  # noqa: PLR0917
    workshop: Workshop, old: str, new: str, added: str, removed: str, ordered: bool
) -> None:
    was, now = (
        workshop.library(f"{folder}/libx.so", needed=names.split())
        for folder, names in (("old", old), ("new", new))
    )
    changes = compared(was, now)
    assert items(changes, Aspect.NEEDED_ADDED) == set(added.split())
    assert items(changes, Aspect.NEEDED_REMOVED) == set(removed.split())
    assert (Aspect.NEEDED_ORDER in changes) is ordered


def test_a_file_is_no_different_from_itself(prebuilt: Path) -> None:
    files = [p for p in prebuilt.rglob("*") if p.is_file() and p.read_bytes()[:4] == b"\x7fELF"]
    assert len(files) > 60
    for path in files:
        aspects = set(compared(path, path))
        assert aspects <= {Aspect.UNREADABLE}, path


def versioned(workshop: Workshop, folder: str, code: str, script: str) -> Path:
    return workshop.library(f"{folder}/libv.so", code, script=script)


def test_versions_lost_and_the_default_one(workshop: Workshop) -> None:
    old = versioned(
        workshop, "old", "int f(void){return 1;} int g(void){return 1;} int h(void){return 1;}",
        "V_1 { global: f; g; h; local: *; };",
    )  # fmt: skip
    new = versioned(
        workshop,
        "new",
        '__asm__(".symver f1, f@V_1"); __asm__(".symver f2, f@@V_2");'
        "int f1(void){return 1;} int f2(void){return 2;} int g(void){return 1;}",
        "V_1 { global: f; local: *; }; V_2 { global: g; } V_1;",
    )
    changes = compared(old, new)
    was, now = exported(old), exported(new)
    assert items(changes, Aspect.EXPORTS_LOST) == was - now == {"g@V_1", "h@V_1"}
    assert items(changes, Aspect.EXPORTS_GAINED) == now - was == {"f@V_2", "g@V_2"}
    (default,) = changes[Aspect.DEFAULT_VERSION]
    assert ("f", "V_1", "V_2") in [(i.name, i.old, i.new) for i in default.items]
    assert items(changes, Aspect.VERSIONS_GAINED) == {"V_2"}
    back = compared(new, old)
    assert items(back, Aspect.VERSIONS_LOST) == {"V_2"}
    assert back[Aspect.VERSIONS_LOST][0].severity is BREAKING


def test_a_first_version_still_answers_who_asks_for_none(workshop: Workshop, host: Path) -> None:
    """As the loader has it: what was linked before there were versions still loads."""
    old = workshop.library("old/libv.so", "int f(void){return 1;}")
    new = versioned(workshop, "new", "int f(void){return 1;}", "V_1 { global: f; };")
    changes = compared(old, new)
    assert Aspect.EXPORTS_LOST not in changes
    assert changes[Aspect.EXPORT_VERSION][0].severity is NOTABLE
    user = workshop.library(
        "new/libu.so", "int f(void); int u(void){return f();}", needed=[old], runpath="$ORIGIN",
        flags=["-Wl,-z,now"],
    )  # fmt: skip
    done = subprocess.run([host, user], capture_output=True, text=True, check=False)
    assert "undefined symbol" not in done.stdout + done.stderr


def test_versions_needed_are_told_by_the_highest(workshop: Workshop, readelf: str) -> None:
    base = versioned(
        workshop, "base", "int f(void){return 1;} int g(void){return 1;} int h(void){return 1;}",
        "V_1.2 { global: f; local: *; }; V_1.10 { global: g; } V_1.2; W_3 { global: h; } V_1.10;",
    )  # fmt: skip
    old = workshop.library("old/libx.so", "int f(); int x(){return f();}", needed=[base])
    new = workshop.library(
        "new/libx.so", "int f();int g();int h(); int x(){return f()+g()+h();}", needed=[base]
    )
    told = {(c.old, c.new): c for c in compared(old, new)[Aspect.VERSION_NEEDED]}
    assert set(told) == {("V_1.2", "V_1.10"), (None, "W_3")}
    assert [i.name for i in told["V_1.2", "V_1.10"].items] == ["g"]
    assert [i.name for i in told[None, "W_3"].items] == ["h"]
    text = subprocess.run([readelf, "-VW", new], capture_output=True, text=True, check=True).stdout
    assert "Name: V_1.10" in text
    (lowered, gone) = compared(new, old)[Aspect.VERSION_NEEDED]
    assert (lowered.severity, gone.severity) == (HARMLESS, HARMLESS)


@pytest.mark.parametrize(
    ("old", "new", "aspect", "severity"),
    [
        ([], ["-Wl,-z,execstack"], Aspect.STACK, NOTABLE),
        (["-Wl,-z,execstack"], [], Aspect.STACK, HARMLESS),
        (["-Wl,-z,relro,-z,now"], [], Aspect.RELRO, NOTABLE),
        (["-Wl,-z,norelro"], ["-Wl,-z,relro"], Aspect.RELRO, HARMLESS),
        ([], ["-Wl,-z,nodelete"], Aspect.FLAGS, NOTABLE),
        ([], ["-Wl,-Bsymbolic"], Aspect.FLAGS, NOTABLE),
        ([], ["-Wl,-soname,libx.so.2"], Aspect.SONAME, BREAKING),
    ],
)
def test_facts_of_the_headers_are_compared(
    workshop: Workshop, old: list[str], new: list[str], aspect: Aspect, severity: ChangeSeverity
) -> None:
    code = "int a; int f(void) { return a; }"
    was = workshop.library("old/libx.so", code, flags=old)
    now = workshop.library("new/libx.so", code, flags=new)
    changes = compared(was, now)
    assert list(changes) == [aspect]
    assert changes[aspect][0].severity is severity


def test_another_machine_is_breaking(prebuilt: Path) -> None:
    machines = prebuilt / "machines"
    changes = compared(machines / "x86_64/libdemo.so", machines / "s390x/libdemo.so")
    (machine,) = changes[Aspect.MACHINE]
    assert machine.severity is BREAKING
    assert machine.message.startswith("is built for s390x (64-bit, big-endian) (before x86_64")


def test_who_can_bind_to_a_file_decides_how_grave_a_loss_is(workshop: Workshop) -> None:
    old = workshop.library("old/x.so", "int PyInit_x(void){return 0;} int helper(void){return 1;}")
    new = workshop.library("new/x.so", "int PyInit_x(void){return 0;}")
    for name, severity in (
        ("libx.so.1", BREAKING),
        ("x.cpython-311-x86_64-linux-gnu.so", NOTABLE),
        ("x.libs/libx-0f2ea3b1.so.1", NOTABLE),
    ):
        assert compared(old, new, name)[Aspect.EXPORTS_LOST][0].severity is severity
    empty = workshop.library("none/x.so", "int helper(void){return 1;}")
    changes = compared(old, empty, "x.abi3.so")
    assert changes[Aspect.EXPORTS_LOST][0].severity is BREAKING


def test_copies_of_templates_are_no_loss(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    code = "#include <vector>\nint f(int n) {{ std::vector<int> v; {0} return v.size(); }}"
    built = []
    for name, body in (("old", "for (int i = 0; i < n; i++) v.push_back(i);"), ("new", "")):
        source, out = tmp_path / f"{name}.cc", tmp_path / f"{name}.so"
        source.write_text(code.format(body))
        subprocess.run(["g++", "-O0", "-shared", "-fPIC", "-o", out, source], check=True)
        built.append(out)
    changes = compared(built[0], built[1])
    assert Aspect.EXPORTS_LOST not in changes
    lost = exported(built[0]) - exported(built[1])
    assert items(changes, Aspect.COPIES_LOST) == lost != set()


def test_abidiff_tells_the_same_exports(workshop: Workshop) -> None:
    tool = shutil.which("abidiff")
    if tool is None:
        pytest.skip("abidiff (abigail-tools) is not installed")
    old = "".join(f"int f{n}(void) {{ return {n}; }} int v{n} = {n};" for n in range(40))
    new = "".join(f"int f{n}(void) {{ return {n}; }} int v{n} = {n};" for n in range(7, 52))
    was, now = workshop.library("old/libx.so", old), workshop.library("new/libx.so", new)
    done = subprocess.run([tool, was, now], capture_output=True, text=True, check=False)
    told = {"D": set[str](), "A": set[str]()}
    for mark, name in re.findall(r"^\s+\[([AD])\] (\w+)$", done.stdout, re.MULTILINE):
        told[mark].add(name)
    assert len(told["D"]) == 14
    changes = compared(was, now)
    assert items(changes, Aspect.EXPORTS_LOST) == told["D"]
    assert items(changes, Aspect.EXPORTS_GAINED) == told["A"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("libssl.so.1.1", "libssl"),
        ("libfoo-1a2b3c4d.so.1", "libfoo"),
        ("libgfortran-040039e1-0352e75f.so.5.0.0", "libgfortran"),
        ("libscipy_openblas64_-32a4b2a6.so", "libscipy_openblas64_"),
        ("libblas-r0-0cf96a72.3.23.dev.so", "libblas-r0.3.23.dev"),
        ("libpython3.11.so.1.0", "libpython"),
        ("libglib-2.0.so.0", "libglib"),
        ("_C.cpython-311-x86_64-linux-gnu.so", "_C"),
        ("_C.abi3.so", "_C"),
        ("libbitsandbytes_cuda118.so", "libbitsandbytes_cuda118"),
        ("python3.11", "python"),
        (".so", ".so"),
    ],
)
def test_a_name_without_version_and_hash(name: str, stem: str) -> None:
    assert library_stem(f"some/where/{name}") == stem


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("a/libx.so.1", Role.LIBRARY),
        ("a/_x.cpython-311-x86_64-linux-gnu.so", Role.EXTENSION),
        ("a/_x.abi3.so", Role.EXTENSION),
        ("a.libs/libx-12345678.so", Role.PRIVATE),
        ("a/libx-12345678.so", Role.LIBRARY),
        ("a.libs/libx-r0-0cf96a72.3.23.dev.so", Role.PRIVATE),
        ("a/libx-1234567f.so", Role.PRIVATE),
    ],
)
def test_who_may_use_a_file(path: str, role: Role) -> None:
    assert role_of(path, program=False) is role


def test_files_are_paired_by_content_name_and_soname() -> None:
    old = [
        Candidate("x.libs/libm-11111111.so.5", "libm-11111111.so.5"),
        Candidate("lib/libz.so.1.2", "libz.so.1"),
        Candidate("lib/libs.so", "libs.so.3", content=7),
        Candidate("a/libcuda118.so"),
        Candidate("a/libtwo-1.so", "two"),
    ]
    new = [
        Candidate("x.libs/libm-22222222.so.5", "libm-22222222.so.5"),
        Candidate("lib64/libzz.so.1.3", "libz.so.1"),
        Candidate("b/other.so", "other", content=7),
        Candidate("a/libcuda131.so"),
        Candidate("b/libtwo-1.so", "two"),
        Candidate("c/libtwo-2.so", "two"),
    ]
    assert {(a.path, b.path) for a, b in pair(old, new)} == {
        ("x.libs/libm-11111111.so.5", "x.libs/libm-22222222.so.5"),
        ("lib/libz.so.1.2", "lib64/libzz.so.1.3"),
        ("lib/libs.so", "b/other.so"),
    }


def test_a_new_name_matters_where_somebody_knows_it() -> None:
    library = Role.LIBRARY
    assert renamed("a/libz.so.1.2", "a/libz.so.1.3", library).severity is HARMLESS
    private = renamed("a.libs/libz-1a1a1a1a.so", "b.libs/libz-2b2b2b2b.so", Role.PRIVATE)
    assert private.severity is HARMLESS
    assert renamed("a/plugin.so", "b/plugin.so", library).severity is NOTABLE
    lost = renamed("a/libz.so.1", "a/libz.so.1.3", library, ["libz.so.1"])
    assert lost.severity is BREAKING
    assert lost.message == "was a/libz.so.1: nothing is found as libz.so.1 any more"
    assert removed("p/_x.abi3.so", Role.EXTENSION).severity is NOTABLE
    assert removed("p/x.abi3.so", Role.EXTENSION).severity is BREAKING
    assert removed("a/crt1.o", library, loadable=False).severity is HARMLESS
    assert removed("a/libz.so.1.2", library, found="a/libz.so.1.3").severity is NOTABLE


@pytest.mark.parametrize(
    ("old", "new", "severity"),
    [
        (FileVerdict(Verdict.LOADS), FileVerdict(Verdict.FAILS, "no"), BREAKING),
        (FileVerdict(Verdict.UNDECIDED), FileVerdict(Verdict.FAILS, "no"), BREAKING),
        (FileVerdict(Verdict.LOADS), FileVerdict(Verdict.UNDECIDED), NOTABLE),
        (FileVerdict(Verdict.FAILS, "no"), FileVerdict(Verdict.LOADS), HARMLESS),
        (FileVerdict(Verdict.FAILS, "no"), FileVerdict(Verdict.FAILS, "never"), NOTABLE),
        (FileVerdict(Verdict.FAILS, "no"), FileVerdict(Verdict.FAILS, "no", ("liba",)), BREAKING),
        (FileVerdict(Verdict.FAILS, "no"), FileVerdict(Verdict.FAILS, "no"), None),
        (None, FileVerdict(Verdict.FAILS, "no"), None),
        (
            FileVerdict(Verdict.FAILS, "liba-1a2b3c4d.so.1: no", ("liba-1a2b3c4d.so.1",)),
            FileVerdict(Verdict.FAILS, "liba-5e6f7a8b.so.1: no", ("liba-5e6f7a8b.so.1",)),
            None,
        ),
    ],
)
def test_verdicts_are_compared(
    old: FileVerdict | None, new: FileVerdict | None, severity: ChangeSeverity | None
) -> None:
    found = [change.severity for change in changed_verdict(old, new)]
    assert found == ([severity] if severity is not None else [])


def test_what_requirements_say_is_compared_and_not_how() -> None:
    old = Metadata("A_b", "1", ("numpy (>=1.21,<3)", "x>=1; extra == 'z'", "gone", "!"), ">=3.9")
    new = Metadata("a-b", "1", ("NumPy<3,>=1.21", 'x>=2; extra == "z"', "come>1", "!"), ">= 3.9")
    (change,) = changed_metadata(old, new)
    assert change.aspect is Aspect.REQUIREMENTS
    assert change.severity is NOTABLE
    assert [(i.name, i.old, i.new) for i in change.items] == [
        ("come", None, "come>1"),  # what all need comes first
        ("x", "x>=1; extra == 'z'", 'x>=2; extra == "z"'),
        ("gone", "gone", None),
    ]
    assert [c.aspect for c in changed_metadata(old, Metadata("a-b", "2", old.requires_dist))] == [
        Aspect.VERSION,
        Aspect.REQUIRES_PYTHON,
    ]


def test_tags_are_compared_as_a_set() -> None:
    old = WheelInfo(("a", "b"))
    assert not list(changed_tags(old, WheelInfo(("b", "a"))))
    (change,) = changed_tags(old, WheelInfo(("b", "c")))
    assert change.severity is NOTABLE
    assert [(i.old, i.new) for i in change.items] == [("a", None), (None, "c")]


def test_public_names_lost_are_breaking() -> None:
    old = {"p": frozenset("ab"), "p._q": frozenset("cd"), "p.gone": frozenset[str]()}
    new = {"p": frozenset("ae"), "p._q": frozenset("c"), "p.new": frozenset[str]()}
    found = list(changed_modules(difference_of_names(old, new)))
    assert [(c.aspect, c.severity, [i.name for i in c.items]) for c in found] == [
        (Aspect.MODULES_LOST, BREAKING, ["p.gone"]),
        (Aspect.NAMES_LOST, BREAKING, ["p.b"]),
        (Aspect.NAMES_LOST, HARMLESS, ["p._q.d"]),
        (Aspect.MODULES_GAINED, HARMLESS, ["p.new"]),
        (Aspect.NAMES_GAINED, HARMLESS, ["p.e"]),
    ]


def test_hostile_texts_take_no_time() -> None:
    start = time.perf_counter()
    digits = "9" * 1_000_000
    assert library_stem(digits) == digits
    hashes = "-12345678" * 100_000
    assert library_stem(hashes) == hashes
    nested = Metadata("a", "1", ("x; " + "(" * 3000 + "a" + ")" * 3000,))
    big = Metadata("a", "1", (*(f"x=={n}" for n in range(5_000)), f"y=={digits}"))
    assert list(changed_metadata(nested, big))
    assert not list(changed_metadata(big, big))
    listed = [f"lib{n}.so" for n in range(60_000)]
    (added,) = _needed([], listed)
    assert added.message.endswith("lib7.so and 59,992 more now")
    assert len(list(_needed(listed, listed[::-1]))) == 1
    assert time.perf_counter() - start < 5


def test_the_c_library_and_the_kind_of_file(workshop: Workshop, prebuilt: Path) -> None:
    glibc = workshop.library("old/libx.so", needed=["libc.so.6"])
    musl = workshop.library("new/libx.so", needed=["libc.musl-x86_64.so.1"])
    (libc,) = compared(glibc, musl)[Aspect.LIBC]
    assert (libc.old, libc.new, libc.severity) == ("glibc", "musl", BREAKING)
    program = workshop.program("prog", "int main(void) { return 0; }")
    changes = compared(glibc, program)
    assert changes[Aspect.KIND][0].severity is BREAKING
    assert changes[Aspect.INTERPRETER][0].new == "/lib64/ld-linux-x86-64.so.2"
    fixed = workshop.program("fixed", "int main(void) { return 0; }", flags=["-no-pie"])
    (kind,) = compared(program, fixed)[Aspect.KIND]
    assert kind.severity is NOTABLE
    assert kind.message == "is now an executable (before a position-independent executable)"
    level = compared(glibc, prebuilt / "shapes/libfilter.so")
    assert level[Aspect.FILTERS][0].new == "libdep.so.1"


def test_thread_local_storage_and_text_relocations(workshop: Workshop) -> None:
    code = "_Thread_local int t[{}]; int *f(void) {{ return t; }}"
    was = workshop.library("old/libx.so", code.format(2))
    now = workshop.library("new/libx.so", code.format(64), flags=["-ftls-model=initial-exec"])
    changes = compared(was, now)
    assert changes[Aspect.TLS][0].message == "has 256 bytes of thread-local storage (before 8)"
    assert (
        changes[Aspect.TLS][0].severity is NOTABLE
    )  # of the static kind, of which there is little
    assert "DF_STATIC_TLS" in str(changes[Aspect.FLAGS][0].new)
    text = 'int v; __asm__(".text\\nr: .quad v\\n");'
    plain = workshop.library("plain/libx.so", "int v;")
    writing = workshop.library("writing/libx.so", text, flags=["-Wl,-z,notext"])
    assert compared(plain, writing)[Aspect.TEXT_RELOCATIONS][0].severity is NOTABLE
    assert compared(writing, plain)[Aspect.TEXT_RELOCATIONS][0].severity is HARMLESS


def test_extras_and_damaged_specifiers() -> None:
    old = Metadata("a", "1", (), "nonsense", ("X_y", "gone"))
    new = Metadata("b", "1", (), "9" * 5000, ("x-y", "come"))
    told = {(c.aspect, c.severity) for c in changed_metadata(old, new)}
    assert told == {
        (Aspect.DISTRIBUTION, NOTABLE),
        (Aspect.REQUIRES_PYTHON, NOTABLE),
        (Aspect.EXTRAS, NOTABLE),
        (Aspect.EXTRAS, HARMLESS),
    }


def test_many_files_of_one_kind_are_one_change() -> None:
    files = [("a.py", (None, "no")), ("b.py", (None, "never")), ("c.py", ("once", None))]
    found = list(unreadable_files(files))
    assert [(each.severity, each.message) for each in found] == [
        (BREAKING, "has 2 files that cannot be read now"),
        (NOTABLE, "could not be read before: once"),
    ]
    assert [(item.name, item.new) for item in found[0].items] == [("a.py", "no"), ("b.py", "never")]
    assert changed_mode(["bin/a", "bin/b"]).message.startswith("has 2 scripts that may not be run")
