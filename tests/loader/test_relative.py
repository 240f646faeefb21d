"""Files that are named by a path relative to the current directory: what the loader calls them.

It keeps a path as it is written, and says it so; ``$ORIGIN`` is the current directory and that.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.api import Process, resolve
from tests.oracle import Workshop, dlopen, start

pytestmark = pytest.mark.oracle

F = "int f(void) { return 1; }"
ASK = "int f(void); int ask(void) { return f(); }"
PATHS = ["./libask.so", "sub/../libask.so", "sub/libask.so", "link/../libask.so", ".//libask.so"]


@pytest.fixture
def place(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with another in it, and a link to one that lies elsewhere."""
    place = workshop.directory / "place"
    (place / "sub").mkdir(parents=True)
    (workshop.directory / "far/away").mkdir(parents=True)
    (place / "link").symlink_to("../far/away")
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def library(workshop: Workshop, place: Path) -> Path:
    """A library beside which there is the one it needs, wherever it is."""
    for folder in ("place", "place/sub", "far"):
        workshop.library(f"{folder}/libf.so", F)
        workshop.library(f"{folder}/libask.so", ASK, needed=["libf.so"], runpath="$ORIGIN")
    return place


def ask(host: Path, path: str, place: Path) -> None:
    """Real and ours must agree, ``.`` and ``..`` included."""
    real = dlopen(host, path, cwd=place)
    ours = resolve(path, host=str(host))
    labels = tuple(e.label for e in ours.link_map.entries if e.path and e is not ours.host)
    assert [label for label in labels if "/ld-linux" not in label] == list(real.objects)
    assert ours.error == real.error


@pytest.mark.parametrize("path", PATHS)
def test_origin(library: Path, host: Path, path: str) -> None:
    ask(host, path, library)


@pytest.mark.parametrize("path", PATHS)
def test_origin_in_needed(workshop: Workshop, place: Path, host: Path, path: str) -> None:
    for folder in ("place", "place/sub", "far"):
        workshop.library(f"{folder}/libf.so", F)
        workshop.library(f"{folder}/libask.so", ASK, needed=["$ORIGIN/./libf.so"])
    ask(host, path, place)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("needed", [[], ["libgone.so"], ["$ORIGIN/libgone.so"], ["./libgone.so"]])
def test_what_a_message_begins_with(
    workshop: Workshop, place: Path, host: Path, path: str, needed: list[str]
) -> None:
    for folder in ("place", "place/sub", "far"):
        workshop.library(f"{folder}/libask.so", ASK, needed=needed)
    real = dlopen(host, path, cwd=place).error
    assert real is not None
    assert resolve(path, host=str(host)).error == real
    assert Process(str(host)).dlopen(path).error == real


def test_versions(workshop: Workshop, place: Path, host: Path) -> None:
    two = workshop.library("place/libf.so", F, script="V2 { global: f; };")
    workshop.library("place/libask.so", ASK, needed=[two], runpath="$ORIGIN")
    workshop.library("place/libf.so", F, script="V1 { global: f; };")
    real = dlopen(host, "./libask.so", cwd=place).error
    assert resolve("./libask.so", host=str(host)).error == real is not None


@pytest.mark.parametrize("runpath", [None, "."])
def test_after_a_relative_dlopen(
    workshop: Workshop, place: Path, host: Path, runpath: str | None
) -> None:
    """What is in the process by a relative path is told by that, too."""
    workshop.library("place/libf.so", "")
    workshop.library("place/libask.so", ASK, needed=["./libf.so"], runpath=runpath)
    real = dlopen(host, "./libask.so", preload=["./libf.so"], cwd=place)
    ours = resolve("./libask.so", host=str(host), preload=["./libf.so"])
    assert ours.error == real.error is not None
    process = Process(str(host))
    process.dlopen("./libf.so")
    assert process.dlopen("./libask.so").error == real.error


@pytest.mark.parametrize("code", ["gone", "version", "symbol"])
@pytest.mark.parametrize("path", ["./prog", "sub/../prog", "./alias", "sub/alias"])
def test_a_program(workshop: Workshop, place: Path, code: str, path: str) -> None:
    needed: list[str | Path] = ["libgone.so"]
    if code == "version":
        needed = [workshop.library("place/libf.so", F, script="V2 { global: f; };")]
    elif code == "symbol":
        needed = [workshop.library("place/libf.so", F)]
    text = "int f(void); int main(void) { return f(); }"
    workshop.program("place/prog", text, needed=needed, runpath="$ORIGIN", flags=["-Wl,-z,now"])
    (place / "alias").symlink_to("prog")
    (place / "sub/alias").symlink_to("../prog")
    workshop.library(
        "place/libf.so", "", script="V1 { global: f; };" if code == "version" else None
    )
    real = start(path, cwd=place)
    assert resolve(path).error == real.error is not None


def test_a_host_that_does_not_start(workshop: Workshop, place: Path) -> None:
    text = "int f(void); int main(void) { return f(); }"
    full = workshop.library("place/libf.so", F)
    workshop.program("place/prog", text, needed=[full], runpath="$ORIGIN", flags=["-Wl,-z,now"])
    workshop.library("place/libf.so", "")
    (place / "alias").symlink_to("prog")
    workshop.library("place/libask.so", F)
    for path in ("./prog", "./alias", str(place / "alias")):
        assert resolve("./libask.so", host=path).error == start(path, cwd=place).error is not None
