"""Every binding of the programs and libraries of this system, against ``LD_DEBUG=bindings``.

The loader is asked in trace mode, which relocates and runs nothing. ``ELFAUDIT_EVERY`` in the
environment says of how many files one is compared; 1 compares all, which takes minutes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from elfaudit.api import Passed, resolve, resolve_all
from elfaudit.elf import read_elf
from tests.oracle import Answer, Key, python_dlopen, trace
from tests.oracle.compare import Pair, answer_of, differing_bindings

from .conftest import Unpack
from .fetch import WHEELS
from .judges import loadable, require_glibc

pytestmark = pytest.mark.real

_EVERY = int(os.environ.get("ELFAUDIT_EVERY", "25"))
_MEMBERS = 400 // _EVERY


@pytest.mark.parametrize("directory", ["/usr/lib", "/usr/bin", "/usr/sbin"])
def test_every_binding_of_the_system(directory: str) -> None:
    require_glibc()
    paths = sorted(loadable(directory))[::_EVERY]
    assert paths, f"nothing under {directory}: this test says nothing"
    compared, differing = 0, {}
    for (path, real), result in zip(_traced(paths), resolve_all(paths, host="none"), strict=True):
        assert not isinstance(result, Passed), result
        ours = answer_of(result)
        compared += len(real.providers)
        found: list[object] = [*differing_bindings(real, ours).items()]
        if (real.objects, real.missing, real.undefined) != _rest(ours):
            found.append((real.objects, real.missing, real.undefined, *_rest(ours)))
        if found:
            differing[path] = found[:5]
    print(f"{directory}: {compared} references of {len(paths)} files, {len(differing)} differ")  # noqa: T201
    assert compared
    assert not differing, differing


def _rest(ours: Answer) -> tuple[object, object, object]:
    return ours.objects, ours.missing, ours.undefined


def _traced(paths: list[str]) -> Iterator[tuple[str, Answer]]:
    """The loader's answers in the order of the paths, few at a time: some have a million lines."""
    with ThreadPoolExecutor(1) as pool:
        ahead = [pool.submit(trace, path) for path in paths[:2]]
        for number, path in enumerate(paths):
            yield path, ahead.pop(0).result()
            if number + 2 < len(paths):
                ahead.append(pool.submit(trace, paths[number + 2]))


@pytest.mark.parametrize("name", WHEELS)
def test_every_binding_of_a_wheel_in_python(
    name: str, wheel: Callable[[str], Path], unpacked: Unpack
) -> None:
    """Members opened alone, in the Python that runs the tests, wherever that one can open them."""
    require_glibc()
    wheel(name)
    libraries = [path for path in loadable(str(unpacked(name))) if not _is_program(path)]
    paths = libraries[:: max(1, len(libraries) // _MEMBERS)]
    differing = {}
    for path in paths:
        result = resolve(path)
        if result.host is None:
            continue  # it has nothing of Python: what is in the process depends on who opens it
        ours, real = answer_of(result), python_dlopen(path)
        found: list[object] = []
        if real.error != ours.error:
            found.append((real.error, ours.error))
        elif real.error is None:
            found += _in_common(real, ours).items()
        if found:
            differing[path] = found[:5]
    assert not differing, differing


def _is_program(path: str) -> bool:
    elf = read_elf(path)
    elf.release()
    return elf.is_program


def _in_common(real: Answer, ours: Answer) -> dict[Key, Pair]:
    """What differs of what the wheel's objects look up: Python has opened others of its own."""
    found = differing_bindings(real, ours)
    return {key: pair for key, pair in found.items() if key[0] in ours.objects}
