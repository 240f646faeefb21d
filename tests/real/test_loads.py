"""LOADS and FAILS against the loader itself, on unpacked wheels: what a dlopen really says."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from elfaudit.api import Passed, resolve, resolve_all
from elfaudit.findings import Verdict

from .conftest import Unpack
from .fetch import WHEELS
from .judges import loadable, opened, require_glibc, trace

pytestmark = pytest.mark.real


class _Judged(NamedTuple):
    verdict: Verdict
    error: str | None
    program: bool


@pytest.mark.parametrize("name", WHEELS)
def test_every_object_of_a_wheel_loads_exactly_when_the_loader_loads_it(
    name: str, wheel: Callable[[str], Path], unpacked: Unpack
) -> None:
    require_glibc()
    directory = unpacked(name)
    files = list(loadable(str(directory)))
    ours = _judged(wheel(name), directory)
    assert set(files) == set(ours)
    traced = trace(path for path in files if ours[path].program)
    dlopened = opened([path for path in files if not ours[path].program])
    fails = {path: said.fails for path, said in traced.items()}
    fails |= {path: error is not None for path, error in dlopened.items()}
    differing = [
        (path, ours[path], traced.get(path) or dlopened.get(path))
        for path in files
        if ours[path].verdict is not (Verdict.FAILS if fails[path] else Verdict.LOADS)
    ]
    assert not differing
    # The loader names a file by its path, elfaudit a member by its path in the wheel.
    theirs = {p: error and error.replace(f"{directory}/", "") for p, error in dlopened.items()}
    assert {path: ours[path].error for path in theirs} == theirs


def _judged(wheel: Path, directory: Path) -> dict[str, _Judged]:
    """What elfaudit says of every member, read in the wheel, by the path it is unpacked to."""
    found = {}
    within: list[str] = []
    for each in resolve_all([str(wheel)]):
        result = each
        if not isinstance(result, Passed):
            path = str(directory / result.subject.partition("::")[2])
            if result.within:  # nobody loads it alone, but this test does
                assert result.verdict is Verdict.LOADS
                within += [str(directory / name.partition("::")[2]) for name in result.within]
                result = resolve(result.subject)
                assert result.verdict is not Verdict.LOADS
            elf = result.link_map.subject.elf
            found[path] = _Judged(result.verdict, result.error, elf is None or elf.is_program)
    assert all(found[path].verdict is Verdict.LOADS for path in within)
    return found


def test_every_extension_of_this_python_is_judged_as_it_is_loaded() -> None:
    require_glibc()
    directory = sysconfig.get_config_var("DESTSHARED")
    files = list(loadable(directory)) if directory else []
    if not files:
        pytest.skip("this Python has all of its extensions built in")
    dlopened = opened(files)
    errors = {}
    for result in resolve_all(files):
        assert not isinstance(result, Passed), result
        errors[result.subject] = result.error
    assert errors == dlopened


def test_a_version_that_libstdcxx_lacks_is_named_as_the_loader_names_it(
    wheel: Callable[[str], Path], unpacked: Unpack
) -> None:
    """torch-scatter-rocm was built with a newer libstdc++ than Debian 12 has, and with no torch.

    Without torch at hand the loader complains of that first; beside it, of the version. On a
    system with a new libstdc++ it goes on to the symbols: whatever it says, elfaudit says the same.
    """
    require_glibc()
    for name in ("libc10.so", "libtorch.so", "libtorch_cpu.so", "libgomp.so.1"):
        torch = unpacked("torch", f"torch/lib/{name}")
    library_path = str(torch / "torch" / "lib")
    directory = unpacked("torch-scatter-rocm")
    paths = [path for path in loadable(str(directory)) if path.endswith("_cpu.so")]
    assert len(paths) == 4
    alone = opened(paths)
    beside = opened(paths, library_path)
    for path in paths:
        assert resolve(path).error == alone[path], path
        assert resolve(path, library_path=[library_path]).error == beside[path], path
        assert alone[path] == (
            "libc10.so: cannot open shared object file: No such file or directory"
        )
    if _libstdcxx_lacks("CXXABI_1.3.15"):
        assert all("version `CXXABI_1.3.15' not found" in str(beside[path]) for path in paths)


def _libstdcxx_lacks(version: str) -> bool:
    path = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"
    return os.path.exists(path) and version.encode() not in Path(path).read_bytes()
