"""The order of relocation, as the real loader tells it, by both of its ways to sort.

glibc before 2.35 sorts another way, which newer ones still know by a tunable.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.loader import search
from elfaudit.loader.rtld import Rtld, Version, read_rtld
from elfaudit.loader.sorting import moved_behind_users
from tests.api.test_process import STEPS
from tests.oracle import Workshop
from tests.oracle.loader import run

pytestmark = pytest.mark.oracle

_RELOCATED = re.compile(r"relocation processing: (\S+)")
_SORTS = {1: (2, 34), 2: (2, 36)}
_COUNT = 8


@pytest.fixture(params=_SORTS)
def sort(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """One of the two ways, and our loader is of a release with it."""
    pretend(monkeypatch, _SORTS[request.param])
    return int(request.param)


def pretend(monkeypatch: pytest.MonkeyPatch, version: Version) -> None:
    def read(*args: object) -> Rtld:
        return replace(read_rtld(*args), version=version)  # type: ignore[arg-type]

    monkeypatch.setattr(search, "read_rtld", read)


def told(command: Sequence[str], sort: int) -> list[str]:
    """The objects in the order in which the real loader relocates them, but for itself."""
    settings = {"LD_DEBUG": "reloc", "GLIBC_TUNABLES": f"glibc.rtld.dynamic_sort={sort}"}
    debug = run(command, (), None, None, settings)[1]
    return [path for path in _RELOCATED.findall(debug) if "/ld-linux" not in path]


def ours(path: Path, **process: object) -> list[str]:
    order = resolve(str(path), **process).link_map.relocated  # type: ignore[arg-type]
    return [entry.label for entry in order if "/ld-linux" not in entry.label]


def graph(workshop: Workshop, seed: int) -> list[Path]:
    """Libraries that need each other, in circles too."""
    dice = random.Random(seed)
    names = [f"lib{number}.so" for number in range(_COUNT)]
    density = dice.choice((1, 2, 3))
    return [
        workshop.library(
            name, needed=dice.sample(names, dice.randint(0, density)), runpath="$ORIGIN"
        )
        for name in names
    ]


@pytest.mark.parametrize("seed", range(16))
def test_what_is_opened(workshop: Workshop, sort: int, seed: int) -> None:
    files = graph(workshop, seed)
    program = workshop.program("steps", STEPS)
    first, second = random.Random(seed).sample(files, 2)
    steps = [str(program), str(first), "l", str(second), "l"]
    real = told(steps, sort)
    assert ours(second, host=str(program), dlopen=[str(first)]) == real
    assert {str(first), str(second)} <= {*real}


@pytest.mark.parametrize("seed", range(16))
def test_what_a_program_starts_with(workshop: Workshop, sort: int, seed: int) -> None:
    needed = [path.name for path in graph(workshop, seed)[:3]]
    code = "int main(void) { return 0; }"
    program = workshop.program("p", code, needed=needed, runpath="$ORIGIN")
    assert ours(program) == told([str(program)], sort)


def test_the_first_message(workshop: Workshop, sort: int) -> None:
    """Of two that fail in a circle, the other one is named first."""
    code = "int gone{0}(void); int (*g{0}(void))(void) {{ return gone{0}; }}"
    for number, needed in enumerate(([1, 2], [2], [1])):
        names = [f"lib{each}.so" for each in needed]
        workshop.library(f"lib{number}.so", code.format(number), needed=names, runpath="$ORIGIN")
    program = workshop.program("steps", STEPS)
    top = workshop.directory / "lib0.so"
    settings = {"LD_DEBUG": "", "GLIBC_TUNABLES": f"glibc.rtld.dynamic_sort={sort}"}
    real = run([str(program), str(top), "l"], (), None, None, settings)[0].stdout.strip()
    assert resolve(str(top), host=str(program)).error == real


@pytest.mark.parametrize(
    ("version", "order"), [((2, 31), "120"), ((2, 32), "210"), ((2, 34), "210")]
)
def test_when_dlopen_sorted_what_is_new(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, version: Version, order: str
) -> None:
    """Up to 2.31, the root with it. The first order is what the glibc of Debian 11 told."""
    workshop.library("lib1.so")
    workshop.library("lib2.so", needed=["lib0.so"], runpath="$ORIGIN")
    top = workshop.library("lib0.so", needed=["lib1.so", "lib2.so"], runpath="$ORIGIN")
    program = workshop.program("steps", STEPS)
    pretend(monkeypatch, version)
    told_by_us = ours(top, host=str(program))[-3:]
    assert told_by_us == [str(workshop.directory / f"lib{each}.so") for each in order]
    if version > (2, 31):
        assert told([str(program), str(top), "l"], 1)[-3:] == told_by_us


def test_a_tangle_ends() -> None:
    """Where everything needs everything there is no order, and no end of moving."""
    everything = range(1000)
    assert sorted(moved_behind_users(everything, lambda _: everything)) == [*everything]
