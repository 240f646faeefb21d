"""A process built up call by call: what one dlopen leaves behind for the next."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import elfaudit
from elfaudit import Mode, Process, Verdict
from elfaudit.findings import Severity
from tests.oracle import Workshop

pytestmark = pytest.mark.oracle

BASE = "int base(void) { return 1; }"
ASK = "int base(void); int (*ask)(void) = base;"
STEPS = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
int main(int count, char **values) {
    for (int i = 1; i < count; i += 2) {
        int mode = strchr(values[i + 1], 'z') ? RTLD_LAZY : RTLD_NOW;
        mode |= strchr(values[i + 1], 'g') ? RTLD_GLOBAL : 0;
        puts(dlopen(values[i], mode) ? "" : dlerror());
    }
    return 0;
}
"""


@pytest.fixture
def program(workshop: Workshop) -> Path:
    return workshop.program("steps", STEPS)


def told(program: Path, *steps: tuple[Path, str]) -> list[str]:
    """What ``dlerror`` says of each dlopen in the real process."""
    arguments = [str(part) for step in steps for part in step]
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(("word", "mode"), [("l", Mode.LOCAL), ("g", Mode.GLOBAL)])
def test_only_what_is_global_gives_symbols(
    workshop: Workshop, program: Path, word: str, mode: Mode
) -> None:
    base, ask = workshop.library("libbase.so", BASE), workshop.library("libask.so", ASK)
    real = told(program, (base, word), (ask, "l"))
    process = Process(str(program))
    ours = [process.dlopen(str(base), mode), process.dlopen(str(ask))]
    assert [result.error or "" for result in ours] == real
    assert len(process.opened) == real.count("")


def test_a_failed_one_leaves_nothing_behind(workshop: Workshop, program: Path) -> None:
    base = workshop.library("libbase.so", BASE, needed=["libgone.so"])
    ask = workshop.library("libask.so", ASK)
    real = told(program, (base, "g"), (ask, "l"))
    process = Process(str(program))
    ours = [process.dlopen(str(base), Mode.GLOBAL), process.dlopen(str(ask))]
    assert [result.error for result in ours] == real


def test_lazy(workshop: Workshop, program: Path) -> None:
    ask = workshop.library("libask.so", "int base(void); int ask(void) { return base(); }")
    for word, mode in (("z", Mode.LAZY), ("l", Mode.LOCAL)):
        result = Process(str(program)).dlopen(str(ask), mode)
        assert [result.error or ""] == told(program, (ask, word))
        severity = {Mode.LAZY: Severity.WARNING, Mode.LOCAL: Severity.ERROR}[mode]
        found = [f.severity for f in result.findings if f.rule == "unresolved-symbol"]
        assert found == [severity]


def test_a_name_that_is_loaded_already(workshop: Workshop, program: Path) -> None:
    base = workshop.library("a/libbase.so", BASE, soname="libbase.so.1")
    ask = workshop.library("libask.so", ASK, needed=[base])
    real = told(program, (base, "l"), (ask, "l"))
    process = Process(str(program))
    ours = [process.dlopen(str(base)), process.dlopen(str(ask))]
    assert [result.error or "" for result in ours] == real == ["", ""]
    assert ours[1].verdict is Verdict.LOADS


@pytest.mark.parametrize("flags", [["-pie", "-fPIE"], ["-no-pie", "-fno-pie"]])
def test_a_program_is_not_opened(workshop: Workshop, program: Path, flags: list[str]) -> None:
    other = workshop.program("other", "int main(void) { return 0; }", flags=flags)
    process = Process(str(program))
    assert [process.dlopen(str(other)).error] == told(program, (other, "l"))
    assert process.opened == ()


def test_a_process_has_a_program() -> None:
    with pytest.raises(elfaudit.RequestError, match="has a program"):
        Process("none")
