"""Which interpreter loads an extension, by name and by what it refers to."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.elf import read_elf
from elfaudit.loader.lookup import index_symbols
from elfaudit.loader.python import (
    extension_version,
    find_interpreter,
    is_extension_name,
    python_symbols,
    refers_to_python,
)
from elfaudit.sources import TreeSource

EXTENSION = "site-packages/torch/_C.cpython-311-x86_64-linux-gnu.so"


@pytest.mark.parametrize(
    ("name", "version", "extension"),
    [
        ("_C.cpython-311-x86_64-linux-gnu.so", "3.11", True),
        ("_C.cpython-38-x86_64-linux-gnu.so", "3.8", True),
        ("_C.cpython-313t-x86_64-linux-gnu.so", "3.13t", True),
        ("_rust.abi3.so", None, True),
        ("_rust.abi3-x86_64.so", None, True),
        ("_C.so", None, False),
        ("_x.pypy310-pp73-x86_64-linux-gnu.so", "pypy310", True),
        ("_x.graalpy-38-native-x86_64-linux.so", "graalpy-38", True),
        ("a-1-pp310-pypy310_pp73-manylinux_2_17_x86_64.whl", "pypy310", False),
        ("libtorch_cpu.so", None, False),
        ("torch-2.9.1+rocm7.1-cp311-cp311-linux_x86_64.whl", "3.11", False),
        ("a/b-1-cp313-cp313t-manylinux_2_28_x86_64.whl", "3.13t", False),
        ("cryptography-1-cp311-abi3-manylinux_2_28_x86_64.whl", None, False),
        ("bitsandbytes-1-py3-none-manylinux_2_24_x86_64.whl", None, False),
        ("triton-1-cp312-none-any.whl", "3.12", False),
    ],
)
def test_names(name: str, version: str | None, *, extension: bool) -> None:
    assert extension_version(name) == version
    assert is_extension_name(name) is extension


@pytest.mark.parametrize(
    ("files", "version", "expected"),
    [
        ([], None, None),
        (["usr/bin/python3"], None, "/usr/bin/python3"),
        (["usr/bin/python3"], "3.11", None),
        (["usr/bin/python3", "usr/bin/pythonpypy310"], "pypy310", None),
        (["usr/bin/python3.11", "usr/local/bin/python3.11"], "3.11", "/usr/local/bin/python3.11"),
        (["usr/bin/python3.9", "usr/bin/python3.12"], None, "/usr/bin/python3.12"),
        (
            ["opt/python/cp311-cp311/bin/python3.11"],
            "3.11",
            "/opt/python/cp311-cp311/bin/python3.11",
        ),
    ],
)
def test_interpreters_of_a_root(
    tmp_path: Path, files: list[str], version: str | None, expected: str | None
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert find_interpreter(TreeSource(str(tmp_path)), version) == expected


def test_what_an_interpreter_supplies(story: Path) -> None:
    references = index_symbols(read_elf(story / EXTENSION)).references
    assert refers_to_python(references)
    assert list(python_symbols([references])) == ["PyModule_Create2"]
    library = story / "site-packages/torch/lib/libtorch_hip.so"
    references = index_symbols(read_elf(library)).references
    assert not refers_to_python(references)
    assert not list(python_symbols([references]))
