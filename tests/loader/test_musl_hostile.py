"""Files and trees that mean harm, under musl's rules: an answer, soon, and never a traceback."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elfaudit.errors import ElfAuditError
from tests.oracle.musl_prediction import predict

from .test_hostile import SOUND, library


def whole_root(path: Path) -> Path:
    """A root that has a loader, so that absence is failure."""
    loader = path / "lib/ld-musl-x86_64.so.1"
    loader.parent.mkdir(parents=True)
    loader.write_bytes(library([]))
    return path


def test_ten_thousand_needed(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    (root / "liball.so").write_bytes(library([f"libx{number}.so" for number in range(10_000)]))
    ours = predict("/liball.so", root=str(root))
    assert len(ours.link_map.missing) == 10_000
    assert ours.error == (
        "Error loading shared library libx0.so: No such file or directory (needed by /liball.so)"
    )


def test_many_names_times_many_directories(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    path = ":".join(f"/nowhere/{number}" for number in range(30_000))
    names = [f"libx{number}.so" for number in range(1000)]
    (root / "liball.so").write_bytes(library(names, rpath=path))
    ours = predict("/liball.so", root=str(root))
    assert len(ours.link_map.missing) == 1000
    assert sum(len(entry.steps) for entry in ours.link_map.missing) < 1 << 17


def test_a_chain_of_a_thousand(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    (root / "opt").mkdir()
    for number in range(1000):
        raw = library([f"libx{number + 1}.so"], rpath="/x:$ORIGIN", tables=SOUND)
        (root / f"opt/libx{number}.so").write_bytes(raw)
    ours = predict("/opt/libx0.so", root=str(root))
    assert len(ours.link_map.entries) == 1001
    assert ours.error == (
        "Error loading shared library libx1000.so: No such file or directory"
        " (needed by /opt/libx999.so)"
    )


@pytest.mark.parametrize("element", ["/nowhere", "$ORIGIN/x", "", "/", "$", "${", "$ORIGIN$LIB"])
def test_a_path_of_a_megabyte(tmp_path: Path, element: str) -> None:
    root = whole_root(tmp_path)
    path = ":".join([element] * ((1 << 20) // (len(element) + 1)))
    (root / "liball.so").write_bytes(library(["libgone.so"], rpath=path))
    assert "libgone.so: No such file" in (predict("/liball.so", root=str(root)).error or "")


def test_tokens_do_not_multiply(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    deep = "/".join(["d" * 200] * 15)
    (root / deep).mkdir(parents=True)
    path = root / deep / "liball.so"
    path.write_bytes(library(["libgone.so"], rpath="$ORIGIN" * 100_000))
    assert "libgone.so: No such file" in (predict(f"/{deep}/liball.so", root=str(root)).error or "")


def test_loops(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    (root / "loop").symlink_to("loop")
    (root / "lib/libown.so").write_bytes(
        library(["libown.so", "libgone.so"], rpath="/x", tables=SOUND)
    )
    ours = predict("/lib/libown.so", root=str(root))
    # A program is not known by its file: it is loaded once more.
    assert [entry.name for entry in ours.link_map.missing] == ["libgone.so", "libgone.so"]
    assert [entry.path for entry in ours.link_map.openings[0].searchlist] == ["/lib/libown.so"] * 2
    (root / "lib/libask.so").write_bytes(library(["libown.so"], rpath="/loop"))
    ours = predict("/lib/libask.so", root=str(root))
    assert ours.error == (
        "Error loading shared library libown.so: Symbolic link loop (needed by /lib/libask.so)"
    )


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_damage_is_answered(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = whole_root(tmp_path_factory.mktemp("root"))
    raw = bytearray(library(["libb.so", "libgone.so"], rpath="$ORIGIN:/lib"))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    (root / "lib/libb.so").write_bytes(raw)
    (root / "liba.so").write_bytes(library(["libb.so"]))
    with suppress(ElfAuditError):
        predict("/liba.so", root=str(root))
