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
