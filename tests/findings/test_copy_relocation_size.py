"""COPY relocations with too little room, held against what the real loader prints of them."""

from __future__ import annotations

import subprocess
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from elfaudit.api import resolve, resolve_all
from elfaudit.findings import Resolution, Severity, Verdict
from elfaudit.sources import zip_member
from elfaudit.sources.inflate import InflatedStream
from tests.oracle import Workshop

pytestmark = pytest.mark.oracle

CODE = "extern int table[]; extern int *hold; int main(void) { return table[0] & (hold == 0); }"
FIXED = ["-no-pie", "-fno-pie", "-Wl,-z,norelro"]


def told(program: str | Path) -> list[str]:
    """What the real loader warns of; the program's own name stands in front."""
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    return done.stderr.splitlines()


def found(program: str | Path) -> list[str]:
    result = resolve(str(program))
    assert result.verdict is Verdict.LOADS
    findings = [each for each in result.findings if each.rule == "copy-relocation-size"]
    assert all(each.severity is Severity.WARNING for each in findings)
    return [each.message for each in findings]


def library(workshop: Workshop, size: int, script: str | None = None) -> Path:
    code = f"int table[{size}] = {{1}}; int *hold = table;"
    return workshop.library("libtable.so", code, script=script)


@pytest.mark.parametrize(("then", "now"), [(1, 4), (4, 4), (4, 1)])
@pytest.mark.parametrize("script", [None, "V1 { global: table; hold; };"])
def test_sizes(workshop: Workshop, then: int, now: int, script: str | None) -> None:
    needed = [library(workshop, then, script)]
    program = workshop.program("p", CODE, needed=needed, runpath="$ORIGIN", flags=FIXED)
    library(workshop, now, script)
    real = told(program)
    assert len(real) == (then < now)
    assert found(program) == real


def test_as_it_was_started(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = [library(workshop, 1)]
    workshop.program("p", CODE, needed=needed, runpath="$ORIGIN", flags=FIXED)
    library(workshop, 4)
    monkeypatch.chdir(workshop.directory)
    real = told("./p")
    assert real[0].startswith("./p: ")
    assert found("./p") == real


def test_of_several_versions_it_is_the_one_asked_for(workshop: Workshop) -> None:
    needed = [library(workshop, 2, "V1 { global: table; hold; };")]
    program = workshop.program("p", CODE, needed=needed, runpath="$ORIGIN", flags=FIXED)
    code = (
        "int old[{old}] = {{1}}; int new[{new}] = {{2}}; int *hold = old;"
        '__asm__(".symver old,table@V1"); __asm__(".symver new,table@@V2");'
    )
    script = "V1 { global: table; hold; }; V2 { global: table; };"
    for old, new in ((2, 4), (4, 2)):
        text = code.format(old=old, new=new)
        workshop.library("libtable.so", text, script=script)
        real = told(program)
        assert len(real) == (old > 2)
        assert found(program) == real


def test_without_a_copy(workshop: Workshop) -> None:
    needed = [library(workshop, 1)]
    flags = ["-pie", "-fPIC"]
    program = workshop.program("p", CODE, needed=needed, runpath="$ORIGIN", flags=flags)
    library(workshop, 4)
    assert told(program) == found(program) == []


def test_musl_has_no_words_for_it(
    tmp_path: Path, musl_host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(size: int) -> None:
        code = f"int table[{size}] = {{1}}; int *hold = table;"
        compile_(tmp_path, code, "-shared", "-fPIC", "-olibtable.so")

    build(1)
    compile_(tmp_path, CODE, *FIXED, "-op", "./libtable.so")
    build(4)
    monkeypatch.chdir(tmp_path)
    assert told("./p") == []
    (message,) = found("./p")
    assert message == "./p: table is copied from ./libtable.so with too little room"


def compile_(directory: Path, code: str, *options: str) -> None:
    command = ["musl-gcc", "-w", "-xc", "-", "-xnone", *options]
    subprocess.run(command, cwd=directory, input=code, text=True, check=True)


def test_members_of_a_wheel_are_inflated_once(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deflated member can only be read forward; what is asked of it later was kept."""
    needed = [library(workshop, 1)]
    program = workshop.program("p", CODE, needed=needed, runpath="$ORIGIN", flags=FIXED)
    grown = library(workshop, 4)
    wheel = workshop.directory / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (program, grown):
            archive.write(path, f"x/{path.name}")
    begun: Counter[str] = Counter()
    inflate = InflatedStream._inflate

    def counting(stream: InflatedStream) -> bytes:
        begun[stream.name] += stream._reach == 0
        return inflate(stream)

    monkeypatch.setattr(InflatedStream, "_inflate", counting)
    monkeypatch.setattr(zip_member, "_SHORT", 0)  # the others are read whole
    results = [each for each in resolve_all([str(wheel)]) if isinstance(each, Resolution)]
    assert [f.rule for result in results for f in result.findings] == ["copy-relocation-size"]
    assert sorted(begun.values()) == [1, 1]
