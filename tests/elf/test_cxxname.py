"""Names: what they say, and which namespace they are in.

The expected texts and scopes are written out; they come from the Itanium C++ ABI's grammar and
were checked with c++filt. The names are as GCC 12 writes them, or the ABI document's own.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elfaudit.elf.cxxname import demangle, in_namespace, namespace_of

ANONYMOUS = "(anonymous namespace)"

# name, c++filt's text, enclosing scopes
NAMES = [
    # functions and variables
    ("_ZN4c10d5Store3getEv", "c10d::Store::get()", ("c10d", "Store")),
    ("_ZNK4c10d5Store3getEv", "c10d::Store::get() const", ("c10d", "Store")),
    ("_ZNVK1a1bEv", "a::b() const volatile", ("a",)),
    ("_ZNKR1a1b1cEv", "a::b::c() const &", ("a", "b")),
    ("_ZNO1a1b1cEv", "a::b::c() &&", ("a", "b")),
    ("_ZN4c10d3useEv", "c10d::use()", ("c10d",)),
    ("_ZN4c10d3ops1xEv", "c10d::ops::x()", ("c10d", "ops")),
    ("_ZN4c10d1rE", "c10d::r", ("c10d",)),
    ("_ZN4c10dL1rE", "c10d::r", ("c10d",)),
    ("_Z7mentionRN4c10d5StoreE", "mention(c10d::Store&)", ()),
    ("_ZL2lfv", "lf()", ()),
    ("_Znwm", "operator new(unsigned long)", ()),
    # constructors, destructors, operators, conversions
    ("_ZN4c10d1CC1Ei", "c10d::C::C(int)", ("c10d", "C")),
    ("_ZN4c10d5StoreD0Ev", "c10d::Store::~Store()", ("c10d", "Store")),
    ("_ZN4c10d1CcviEv", "c10d::C::operator int()", ("c10d", "C")),
    ("_ZN4c10ddvERNS_5StoreEi", "c10d::operator/(c10d::Store&, int)", ("c10d",)),
    ("_ZN3c10dvENS_1AES0_", "c10::operator/(c10::A, c10::A)", ("c10",)),
    # unnamed namespaces and ABI tags
    (
        "_ZN4c10d12_GLOBAL__N_16hiddenEi",
        "c10d::(anonymous namespace)::hidden(int)",
        ("c10d", ANONYMOUS),
    ),
    ("_ZN12_GLOBAL__N_11fEv", "(anonymous namespace)::f()", (ANONYMOUS,)),
    ("_ZN4c10d1rB5cxx11E", "c10d::r[abi:cxx11]", ("c10d",)),
    ("_ZN4c10d3TagB2t11fEv", "c10d::Tag[abi:t1]::f()", ("c10d", "Tag")),
    # templates: what follows the first arguments is not read
    ("_ZN4c10d2idIiEET_S1_", "int c10d::id<int>(int)", ("c10d",)),
    ("_ZN4c10d3BoxIiE3putEi", "c10d::Box<int>::put(int)", ("c10d",)),
    ("_Z5outerIN4c10d2B2EET_PS2_", "c10d::B2 outer<c10d::B2>(c10d::B2*)", ()),
    # std and its abbreviations
    ("_ZSt4cout", "std::cout", ("std",)),
    ("_ZNSt6thread4joinEv", "std::thread::join()", ("std", "thread")),
    ("_ZNSt10filesystem7__cxx114path5clearEv", None, ("std", "filesystem", "__cxx11", "path")),
    ("_ZNSo3putEc", None, ("std",)),
    ("_ZNSaIcED1Ev", "std::allocator<char>::~allocator()", ("std",)),
    ("_ZTISt9exception", "typeinfo for std::exception", ("std",)),
    # special names: 5.1.4.1, 5.1.4.2, 5.1.4.4 to 5.1.4.6
    ("_ZTVN4c10d1DE", "vtable for c10d::D", ("c10d",)),
    ("_ZTTN4c10d1DE", "VTT for c10d::D", ("c10d",)),
    ("_ZTIN4c10d1DE", "typeinfo for c10d::D", ("c10d",)),
    ("_ZTSN4c10d1DE", "typeinfo name for c10d::D", ("c10d",)),
    ("_ZTV3Foo", "vtable for Foo", ()),
    ("_ZTIPN4c10d1DE", "typeinfo for c10d::D*", ()),
    ("_ZTIFN4c10d1DEvE", "typeinfo for c10d::D ()", ()),
    ("_ZTCN4c10d1DE0_N1x1BE", "construction vtable for x::B-in-c10d::D", ("c10d",)),
    ("_ZTCN1x1DE16_N4c10d1BE", "construction vtable for c10d::B-in-x::D", ("x",)),
    ("_ZThn16_N4c10d1D1cEv", "non-virtual thunk to c10d::D::c()", ("c10d", "D")),
    ("_ZTv0_n24_N4c10d1D1cEv", "virtual thunk to c10d::D::c()", ("c10d", "D")),
    ("_ZTch0_v0_n24_N4c10d1D1cEv", "covariant return thunk to c10d::D::c()", ("c10d", "D")),
    ("_ZTcv0_n24_v0_n24_N4c10d1D1cEv", "covariant return thunk to c10d::D::c()", ("c10d", "D")),
    ("_ZGVN4c10d1rE", "guard variable for c10d::r", ("c10d",)),
    ("_ZGRN4c10d1rE_", "reference temporary #0 for c10d::r", ("c10d",)),
    ("_ZGRN4c10d1rE0_", "reference temporary #1 for c10d::r", ("c10d",)),
    ("_ZTWN4c10d2tlE", "TLS wrapper function for c10d::tl", ("c10d",)),
    ("_ZTHN4c10d2tlE", "TLS init function for c10d::tl", ("c10d",)),
    ("_ZGTtN4c10d1fEv", "transaction clone for c10d::f()", ("c10d",)),
    # local names: 5.1.7
    ("_ZZN4c10d5Store3getEvE1s", "c10d::Store::get()::s", ("c10d", "Store", "get")),
    (
        "_ZGVZN4c10d5Store3getEvE1s",
        "guard variable for c10d::Store::get()::s",
        ("c10d", "Store", "get"),
    ),
    ("_ZGVZN4c10d1CC4EiE1k", "guard variable for c10d::C::C(int)::k", ("c10d", "C")),
    ("_ZTVZN4c10d3getEvE1L", "vtable for c10d::get()::L", ("c10d", "get")),
    (
        "_ZZZN4c10d3lamEvENKUliE_clEiE1n",
        "c10d::lam()::{lambda(int)#1}::operator()(int) const::n",
        ("c10d", "lam"),
    ),
    ("_ZZN4c10d3BoxIiE3putEiE1s", "c10d::Box<int>::put(int)::s", ("c10d", "Box")),
    ("_ZZ4mainE1m", "main::m", ("main",)),
    ("_ZZSt3foovE1x", "std::foo()::x", ("std", "foo")),
    # names of other languages, or of none
    # Rust's old scheme writes a hash as if it were the entity, in the function's scope
    (
        "_ZN4core3fmt5write17h0123456789abcdefE",
        None,
        ("core", "fmt", "write"),
    ),
    ("_RNvCs1234_7mycrate3foo", "mycrate::foo", ()),
    ("_ZGVbN2v_sin", "_ZGVbN2v_sin", ()),  # x86-64 vector function ABI, not a guard variable
    ("main", "main", ()),
    ("foo__Fi", "foo__Fi", ()),  # pre-standard C++ to some, but a C name to the linker
    ("_Zfoo", "_Zfoo", ()),
    ("_Z", "_Z", ()),
    ("", "", ()),
]


@pytest.mark.parametrize(("name", "text", "scopes"), NAMES, ids=[n[0] or "empty" for n in NAMES])
def test_names(name: str, text: str | None, scopes: tuple[str, ...]) -> None:
    assert namespace_of(name) == scopes
    if text is not None:
        assert demangle(name) == text


@pytest.mark.parametrize(
    ("name", "scopes"),
    [
        ("_ZN4c10d5Sto", ()),  # cut short: whether c10d is the scope is not certain
        ("_ZN4c10d", ()),
        ("_ZZ4main", ()),
        ("_ZN", ()),
        ("_ZS_", ()),
        ("_ZT", ()),
        ("_ZTh_N1a1bEv", ()),
        ("_ZN0E", ()),
        ("_ZN99999999999999999999999a1bEv", ()),
        ("_ZN1a²bEv", ()),
    ],
)
def test_damaged_names_give_only_what_is_certain(name: str, scopes: tuple[str, ...]) -> None:
    assert namespace_of(name) == scopes


def test_lengths_count_bytes() -> None:
    """Identifiers outside ASCII are UTF-8 in the symbol table; the length is that of the bytes."""
    assert namespace_of("_ZN5naïf1fEv") == ("naïf",)
    latin = b"_ZN4na\xeff1fEv".decode("utf-8", "surrogateescape")
    assert namespace_of(latin) == ("na\udceff",)
    assert namespace_of("_ZN1\ud8001fEv") == ()


@pytest.mark.parametrize(
    ("name", "namespace", "expected"),
    [
        ("_ZN4c10d5Store3getEv", "c10d", True),
        ("_ZN4c10d5Store3getEv", "::c10d", True),
        ("_ZN4c10d5Store3getEv", "c10d::Store", True),
        ("_ZN4c10d5Store3getEv", "c10d::Store::get", False),
        ("_ZN4c10d5Store3getEv", "c10", False),
        ("_ZN4c10d5Store3getEv", "Store", False),
        ("_ZN4c10d5Store3getEv", "", False),
        ("_ZTVN4c10d5StoreE", "c10d", True),
        ("_ZTVN4c10d5StoreE", "c10d::Store", False),
        ("_ZN3c10dvENS_1AES0_", "c10d", False),
        ("_ZN3c10dvENS_1AES0_", "c10", True),
        ("_ZN5torch11distributed4c10d1xEv", "c10d", False),
        ("_ZN5torch11distributed4c10d1xEv", "torch", True),
        ("_ZN5torch11distributed4c10d1xEv", "torch::distributed::c10d", True),
        ("_ZN4c10d12_GLOBAL__N_16hiddenEi", "c10d", True),
        ("_ZN4c10d12_GLOBAL__N_16hiddenEi", "c10d::(anonymous namespace)", True),
        ("_ZN4c10d12_GLOBAL__N_16hiddenEi", "c10d::_GLOBAL__N_1", True),
        ("_ZNSt6vectorIN4c10d1BESaIS1_EED1Ev", "c10d", False),
        ("_ZNSt6vectorIN4c10d1BESaIS1_EED1Ev", "std", True),
        ("_Z5outerIN4c10d2B2EET_PS2_", "c10d", False),
        ("c10d_plain_c_function", "c10d", False),
    ],
)
def test_in_namespace(name: str, namespace: str, expected: bool) -> None:
    assert in_namespace(name, namespace) is expected


def _doubling(times: int) -> str:
    """Write a name in which each template has the one before as an argument, twice (5.1.10)."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    # S_ is A; each step adds two candidates: B, then B<...>.
    sequence = [""] + [f"{q}{r}".lstrip("0") or "0" for q in digits for r in digits]
    steps = (sequence[2 * step] for step in range(times))
    return "_Z1f1A" + "".join(f"1BIS{i}_S{i}_E" for i in steps)


def test_a_name_may_double() -> None:
    assert demangle(_doubling(2)) == "f(A, B<A, A>, B<B<A, A>, B<A, A> >)"


HOSTILE = {
    "type of nothing": "_Z" + "P" * 100_000 + "i",
    "pointers": "_Z1f" + "P" * 100_000 + "i",
    "functions": "_Z1f" + "PF" * 100_000 + "i" + "vE" * 100_000,
    "templates": "_Z1fI" + "N1AI" * 100_000 + "i" + "EE" * 100_000 + "Evv",
    "local": "_Z" + "Z" * 100_000 + "1fv" + "E1x" * 100_000,
    "expression": "_Z1fIX" + "ng" * 100_000 + "Li1EEEvv",
    "scopes": "_ZN" + "1a" * 100_000 + "Ev",
    "qualifiers": "_ZN" + "K" * 100_000 + "1a1bEv",
    "tags": "_ZN1a" + "B1t" * 100_000 + "1bEv",
    "digits": "_ZN" + "9" * 100_000,
    "rust": "_R" + "NvC" * 100_000,
    "doubling": _doubling(40),  # less than half a kilobyte, for 12 TB of text
    "packs": "_Z1fIJ" + "i" * 30 + "EEv" + "DpSt5tupleIJT_" * 12 + "EE" * 12,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_names_do_no_harm(kind: str) -> None:
    """In a process of its own: what is feared is a stack overflow, which ends the process."""
    code = (
        "import sys\n"
        "from elfaudit.elf.cxxname import demangle, namespace_of\n"
        "name = sys.stdin.read()\n"
        "text, scopes = demangle(name), namespace_of(name)\n"
        "assert text == name or len(text) <= 1 << 16\n"
        "assert len(scopes) <= 200\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=HOSTILE[kind],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_demangler_is_not_loaded_by_import() -> None:
    code = "import sys, elfaudit.elf.cxxname; print('demangle' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


_PIECES = ["_Z", "N", "Z", "E", "I", "St", "S_", "S0_", "T_", "TV", "GV", "Th", "n16_", "Tc", "1a"]
_PIECES += ["4c10d", "12_GLOBAL__N_1", "B", "L", "K", "C1", "D0", "Ul", "cv", "Dp", "J", "X", "9"]


def _mutate(name: str, at: int, cut: int, put: str) -> str:
    return name[: at % (len(name) + 1)] + put + name[at % (len(name) + 1) + cut :]


names = st.one_of(
    st.text(max_size=60),
    st.text(max_size=60).map("_Z".__add__),
    st.lists(st.sampled_from(_PIECES), max_size=25).map(lambda parts: "_Z" + "".join(parts)),
    st.builds(
        _mutate,
        st.sampled_from([row[0] for row in NAMES]),
        st.integers(0, 80),
        st.integers(0, 6),
        st.one_of(st.text(max_size=4), st.sampled_from(_PIECES)),
    ),
)


@settings(max_examples=400, deadline=2000)
@given(name=names, namespace=st.text(alphabet="ac:10d(_", max_size=12))
def test_no_name_raises(name: str, namespace: str) -> None:
    scopes = namespace_of(name)
    assert all(isinstance(part, str) for part in scopes)
    assert isinstance(demangle(name), str)
    assert isinstance(in_namespace(name, namespace), bool)
    if not name.startswith("_Z"):
        assert scopes == ()


@settings(max_examples=200)
@given(parts=st.lists(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True), min_size=1))
def test_scopes_written_are_scopes_read(parts: list[str]) -> None:
    """An independent inverse: 5.1.2's <nested-name>, built up to the bound on scopes."""
    parts = [part for part in parts if not part.startswith("_GLOBAL_")][:150]
    if parts:
        written = "".join(f"{len(part)}{part}" for part in parts)
        assert namespace_of(f"_ZN{written}1fEv") == tuple(parts)
        assert in_namespace(f"_ZTVN{written}1CE", "::".join(parts))


def _run(*command: str, given_input: str = "") -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    done = subprocess.run(command, input=given_input, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def libstdcxx() -> dict[str, str]:
    """Give the C++ names libstdc++ exports on this system, each with c++filt's text."""
    if "GNU" not in _run("c++filt", "--version"):
        pytest.skip("needs the c++filt of GNU binutils: other ones space differently")
    library = _run("g++", "-print-file-name=libstdc++.so.6").strip()
    if not Path(library).is_file():
        pytest.skip("needs libstdc++ as a shared object")
    listing = _run("nm", "-D", "--defined-only", library)
    exported = {line.split()[-1].partition("@")[0] for line in listing.splitlines()}
    mangled = sorted(name for name in exported if name.startswith("_Z"))
    texts = _run("c++filt", given_input="\n".join(mangled) + "\n").splitlines()
    return dict(zip(mangled, texts, strict=True))


@pytest.mark.real
def test_demangle_agrees_with_cxxfilt(libstdcxx: dict[str, str]) -> None:
    assert len(libstdcxx) > 1000
    different = [name for name, text in libstdcxx.items() if demangle(name) != text]
    # Releases of binutils differ among themselves in a few texts.
    assert len(different) <= len(libstdcxx) // 100, different[:10]


@pytest.mark.real
def test_namespaces_agree_with_cxxfilt(libstdcxx: dict[str, str]) -> None:
    """Compare with the demangled text, where it can be trusted to begin with the entity's name.

    It cannot for function templates (the return type comes first) nor for the typeinfo of
    pointers; so names with an I (template arguments) or a TIP, TSP are left out.
    """
    prefix = re.compile(
        r"(?:vtable|VTT|typeinfo|typeinfo name|guard variable|TLS (?:init|wrapper) function"
        r"|transaction clone) for |(?:non-virtual|virtual|covariant return) thunk to "
    )
    checked = 0
    for name, text in libstdcxx.items():
        if "I" in name.removeprefix("_ZTI") or name.startswith(("_ZTC", "_ZTIP", "_ZTSP")):
            continue
        entity = prefix.sub("", text, count=1)
        for namespace in ("std", "__gnu_cxx", "__cxxabiv1", "std::chrono", "std::filesystem"):
            assert in_namespace(name, namespace) == entity.startswith(namespace + "::"), name
        checked += 1
    assert checked > 1000
