"""In a report of many files each file has one name, by whatever way the others come upon it."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.api import resolve_all
from elfaudit.findings import Resolution
from elfaudit.report.findings import group_findings
from elfaudit.report.rows import FileRow
from tests.oracle import Workshop

_ASK = "extern int gone(void); int f(void) { return gone(); }"


@pytest.fixture
def tree(workshop: Workshop) -> Path:
    """A library with its links, and a user that comes by it through one of them and a ``..``."""
    built = workshop.library("tree/lib/libf.so.1.2", _ASK, soname="libf.so.1")
    for link in ("libf.so.1", "libf.so"):
        (built.parent / link).symlink_to("libf.so.1.2")
    workshop.library("tree/app/libg.so", needed=["libf.so.1"], runpath="$ORIGIN/../lib")
    (workshop.directory / "tree/app/alias.so").symlink_to("../lib/libf.so.1")
    return workshop.directory / "tree"


def rows_of(*targets: str) -> list[FileRow]:
    results = resolve_all(targets)
    return [FileRow.of(each) for each in results if isinstance(each, Resolution)]


def test_a_directory(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree.parent)
    rows = rows_of("tree")
    assert {row.subject for row in rows} == {"tree/app/libg.so", "tree/lib/libf.so.1.2"}
    groups = [g for g in group_findings(rows) if g.finding.rule == "unresolved-symbol"]
    (group,) = groups
    assert group.finding.location == "tree/lib/libf.so.1.2"
    assert group.finding.message == f"{tree}/lib/libf.so.1.2: undefined symbol: gone"
    assert group.files == ["tree/app/libg.so", "tree/lib/libf.so.1.2"]


@pytest.mark.parametrize(
    ("targets", "subjects"),
    [
        (["tree", "./tree"], ["tree/app/libg.so", "tree/lib/libf.so.1.2"]),
        (["tree/lib", "tree"], ["tree/lib/libf.so.1.2", "tree/app/libg.so"]),
        (["tree", "tree/lib/libf.so.1"], ["tree/app/libg.so", "tree/lib/libf.so.1"]),
        (["./tree/app/libg.so", "tree/app/libg.so"], ["./tree/app/libg.so"]),
    ],
)
def test_many_targets(
    tree: Path, monkeypatch: pytest.MonkeyPatch, targets: list[str], subjects: list[str]
) -> None:
    monkeypatch.chdir(tree.parent)
    assert [row.subject for row in rows_of(*targets)] == subjects
