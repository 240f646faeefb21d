"""musl's C library is in every process, and it is its own loader."""

from __future__ import annotations

from pathlib import Path

from elfaudit.api import resolve
from tests.loader.test_musl_hostile import whole_root
from tests.oracle import Workshop

USES = "unsigned long strlen(const char *); unsigned long ask(char *s) { return strlen(s); }"


def test_it_does_not_work_by_accident(workshop: Workshop, musl_host: Path) -> None:
    for ours in (
        resolve(str(workshop.library("libask.so", USES)), libc="musl"),
        resolve(str(workshop.library("libask.so", USES)), libc="musl", host=str(musl_host)),
    ):
        assert (ours.error, ours.findings) == (None, ())


def test_who_asks_for_a_damaged_one(workshop: Workshop, tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    loader = root / "lib/ld-musl-x86_64.so.1"
    loader.write_text("no ELF file")
    (root / "libask.so").write_bytes(
        workshop.library("libask.so", USES, needed=["libc.so"]).read_bytes()
    )
    ours = resolve(str(root / "libask.so"), root=str(root), libc="musl")
    assert ours.error is not None
    assert ours.error.endswith("(needed by /libask.so)")
