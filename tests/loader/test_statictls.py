"""How much of the static block of thread-local storage is left: asked of the real loader."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit import Process
from tests.api.test_process import STEPS, told
from tests.oracle import Workshop

pytestmark = pytest.mark.oracle

CODE = (
    "static __thread char b{0}[{1}] __attribute__((aligned({2}))); "
    "char *get{0}(void) {{ return b{0}; }}"
)


@pytest.fixture
def program(workshop: Workshop) -> Path:
    return workshop.program("steps", STEPS)


@pytest.mark.parametrize(
    "blocks",
    [
        [(400, 1)] * 6,
        [(100, 8), (700, 64), (300, 32), (200, 16), (300, 1), (40, 8), (1, 1), (8, 8)],
        [(1600, 16), (8, 4), (32, 8), (16, 16), (8, 8)],
        [(1700, 8), (16, 8)],
        [(64, 128), (1, 1)],
        [(8, 4096), (1600, 1), (100, 64)],
    ],
)
def test_blocks_are_given_until_there_is_no_room(
    workshop: Workshop, program: Path, blocks: list[tuple[int, int]]
) -> None:
    process = Process(str(program))
    steps = []
    for number, (size, align) in enumerate(blocks):
        code = CODE.format(number, size, align)
        flags = ["-ftls-model=initial-exec"]
        steps.append((workshop.library(f"lib{number}.so", code, flags=flags), "l"))
    ours = [process.dlopen(str(path)).error or "" for path, _ in steps]
    assert ours == told(program, *steps)
    assert "" in ours or len(set(ours)) == len(ours)


def test_what_the_program_starts_with_aligns_the_block(workshop: Workshop) -> None:
    big = workshop.library(
        "libbig.so", CODE.format("big", 72, 256), flags=["-ftls-model=initial-exec"]
    )
    program = workshop.program(
        "aligned", STEPS, needed=[big], runpath="$ORIGIN", flags=["-Wl,--no-as-needed"]
    )
    process = Process(str(program))
    steps = []
    for number, (size, align) in enumerate([(600, 256), (600, 128), (500, 64), (200, 8), (100, 1)]):
        code = CODE.format(number, size, align)
        steps.append(
            (workshop.library(f"lib{number}.so", code, flags=["-ftls-model=initial-exec"]), "l")
        )
    ours = [process.dlopen(str(path)).error or "" for path, _ in steps]
    assert ours == told(program, *steps)


OWN = "__thread char block[{0}]; char *own(void) {{ return block; }}"
USE = "extern __thread char block[]; char *use{0}(void) {{ return block; }}"
IE = ["-ftls-model=initial-exec"]


def steps_agree(program: Path, *paths: Path) -> list[str]:
    """What becomes of one dlopen after the other, ours and the loader's; they must agree."""
    process = Process(str(program))
    ours = [process.dlopen(str(path)).error or "" for path in paths]
    assert ours == told(program, *((path, "l") for path in paths))
    return ours


def test_a_block_that_two_objects_reach_for_is_taken_once(
    workshop: Workshop, program: Path
) -> None:
    own = workshop.library("libown.so", OWN.format(900))
    users = [
        workshop.library(f"libu{n}.so", USE.format(n), needed=[own], runpath="$ORIGIN", flags=IE)
        for n in (1, 2)
    ]
    top = workshop.library("libtop.so", needed=users, runpath="$ORIGIN")
    assert steps_agree(program, top) == [""]


def test_a_block_that_was_opened_before(workshop: Workshop, program: Path) -> None:
    own = workshop.library("libown.so", OWN.format(3000))
    use = workshop.library("libuse.so", USE.format(""), needed=[own], runpath="$ORIGIN", flags=IE)
    assert steps_agree(program, own, use)[1] != ""


@pytest.mark.parametrize("size", [500, 520, 100])
def test_descriptors_take_some_of_it_as_long_as_there_is(
    workshop: Workshop, program: Path, size: int
) -> None:
    first = workshop.library("libfirst.so", OWN.format(size), flags=["-mtls-dialect=gnu2"])
    code = OWN.format(1400).replace("block", "other").replace("own", "two")
    assert steps_agree(program, first, workshop.library("libtwo.so", code, flags=IE))
