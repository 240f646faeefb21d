"""Names as the next build has them, ids, and the text of the file."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from elfaudit.api.first_checklist.document import document
from elfaudit.api.first_checklist.draft import Draft, Section
from elfaudit.api.first_checklist.facts import OWN_NAMES
from elfaudit.api.first_checklist.identifiers import identifiers
from elfaudit.api.first_checklist.next_names import (
    escaped,
    is_copied,
    next_name,
    next_path,
    next_version,
    shown,
)
from elfaudit.checklist.globs import matches_name, path_pattern


@pytest.mark.parametrize(("name", "pattern"), [
    ("libjpeg-77ae51ab.so.62.4.0", "libjpeg-*.so.62*"),
    ("libquadmath-96973f99-934c22de.so.0.0.0", "libquadmath-*.so.0*"),
    ("libssl-3e69114b.so.1.1.1k", "libssl-*.so.1*"),
    ("libscipy_openblas64_-ff651d7f.so", "libscipy_openblas64_-*.so"),
    ("libopenblas64_p-r0-5007b62f.3.23.dev.so", "libopenblas64_p-r0-*.so"),
    ("libc.so.6", "libc.so.6"),
    ("libfoo-20240101.so.1", "libfoo-20240101.so.1"),  # a date
    ("libarrow.so.1400", "libarrow.so.1400"),
    ("libglib-2.0.so.0", "libglib-2.0.so.0"),  # of the interface
    ("libbfd-2.40.so", "libbfd-*.so"),
    ("libpython3.11.so.1.0", "libpython3*.so*"),
    ("_imaging.cpython-311-x86_64-linux-gnu.so", "_imaging.cpython-*-x86_64-linux-gnu.so"),
    ("_rust.abi3.so", "_rust.abi3.so"),
    ("a[1]*?${x}.so", "a[[]1][*][?][$]{x}.so"),
])  # fmt: skip
def test_what_changes_in_a_name_is_left_out(name: str, pattern: str) -> None:
    assert next_name(name) == pattern
    assert matches_name(name, pattern)


@pytest.mark.parametrize(("path", "soname", "pattern"), [
    ("lib/libfoo.so.1.0", "libfoo.so.1", "lib/libfoo.so.1*"),
    ("lib/libfoo.so.1", "libfoo.so.1", "lib/libfoo.so.1"),
    ("lib/libfoo.so.1.2.3", "libfoo.so.1.2.3", "lib/libfoo.so.1.2.3"),
    ("lib/libfoo.so.1.2.3", None, "lib/libfoo.so.1*"),
    ("p.libs/libfoo-20240101.so.1.2", "x", "p.libs/libfoo-*.so.1*"),
    ("z3-4.13.0.data/data/bin/z3", None, "z3-*.data/data/bin/z3"),
    ("/opt/rocm-7.1.0/lib/libhip.so.7", "libhip.so.7", "/opt/rocm-*/lib/libhip.so.7"),
    ("/usr/lib/python3.11/a.so", None, "/usr/lib/python3*/a.so"),
    ("p/\udcff.so", None, "p/?.so"),
])  # fmt: skip
def test_what_changes_in_a_path_is_left_out(path: str, soname: str | None, pattern: str) -> None:
    assert next_path(path, soname) == pattern
    assert path_pattern(pattern).fullmatch(path)


def test_a_long_name_takes_no_time() -> None:
    for name in ("-" + "0" * 2_000_000, "-00000000" * 200_000, ".so.1" * 300_000):
        assert next_name(name)
        assert next_path(f"a/{name}", name)
        assert not is_copied(name)


def test_the_version_of_the_project_is_no_version_of_an_interface() -> None:
    assert next_version("VERS_1.19.0", {"1.19.0"}) == "VERS_*"
    assert next_version("GLIBC_2.17", {"1.19.0"}) == "GLIBC_2.17"
    assert next_version("FOO_1", {"1"}) == "FOO_*"


def test_a_pattern_is_shown_as_the_name() -> None:
    assert shown(f"/{escaped('a[1]*?.so')}") == "a[1]*?.so"


def test_ids_are_readable_and_each_once() -> None:
    about = ["libä.so", "LIBA.so", "liba.so", "日本", "x" * 200, "x" * 201, "_C", ""]
    found = identifiers(("file", each) for each in about)
    assert found == [
        "file-liba.so", "file-liba.so-2", "file-liba.so-3", "file-file", f"file-{'x' * 75}",
        f"file-{'x' * 73}-2", "file-c", "file",
    ]  # fmt: skip


def test_any_text_can_be_in_it() -> None:
    odd = 'a"\\\x00\x7f\n\t${x}\udcff日'
    draft = Draft("needed", odd, odd, {"file": "a\\b\x01\x7f", "max": {"GLIBC": "2.17"}}, odd)
    asked = Draft("needed", odd, "x", {"has": ["y" * 60, "z" * 60, '"']}, needs=draft)
    text = document("x", odd, [Section(odd, (draft, asked))], [odd] * 50)
    assert text.encode()
    read = tomllib.loads(text)
    first, second = read["check"]
    assert first["file"] == "a\\b\x01\x7f"
    assert first["max"] == {"GLIBC": "2.17"}
    assert second["has"] == ["y" * 60, "z" * 60, '"']
    assert second["requires"] == [first["id"]]
    assert "${" not in text
    assert "- and 10 more" in text


def test_names_of_the_standard_library_are_nobodys_own(tmp_path: Path) -> None:
    """The names are those of a compiler; ``c++filt`` says whose they are."""
    (tmp_path / "a.cpp").write_text(
        "#include <string>\n#include <vector>\n#include <memory>\n"
        "namespace own { struct S { virtual ~S(); virtual void f() const; std::string t; };\n"
        "S::~S() {} void S::f() const {} int v;\n"
        "template <class T> struct V { T t; void set(T x) { t = x; } }; template struct V<int>; }\n"
        'int *make() { static std::string s("x"); std::vector<own::S> v(3); v.resize(9);\n'
        "auto p = std::make_shared<own::S>(); return new int[s.size() + v.size()]; }\n"
        "void *operator new(std::size_t n) { return (void*)n; }\n"
    )
    target = tmp_path / "a.so"
    subprocess.run(["g++", "-O0", "-shared", "-fPIC", "-o", target, tmp_path / "a.cpp"], check=True)
    listed = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", target],
                            check=True, capture_output=True, text=True).stdout  # fmt: skip
    names = [line.split()[0].partition("@")[0] for line in listed.splitlines()]
    plain = subprocess.run(["c++filt"], input="\n".join(names), check=True, capture_output=True,
                           text=True).stdout.splitlines()  # fmt: skip
    own = {text for name, text in zip(names, plain, strict=True) if re.search(OWN_NAMES, name)}
    assert {"own::S::f() const", "own::v", "make()", "own::V<int>::set(int)",
            "vtable for own::S"} <= own  # fmt: skip
    assert not [each for each in own if re.match(r"(\w+ for )?(std|__gnu_cxx)::|operator", each)]
