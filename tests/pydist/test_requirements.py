"""What distributions require, judged by importlib.metadata and by pip's markers."""

from __future__ import annotations

import importlib.metadata
import time
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from elfaudit.pydist import (
    Distribution,
    environment_of,
    find_distributions,
    read_metadata,
    unmet_requirements,
)

_REQUIRES = """
numpy>=1.2
six

[:python_version < "3"]
enum34

[cli]
click
private @ https://example.org/x.whl

[dev:sys_platform == "win32"]
colorama
"""


def test_requires_txt_of_an_egg_info(tmp_path: Path) -> None:
    folder = tmp_path / "old-1.egg-info"
    folder.mkdir()
    (folder / "PKG-INFO").write_text("Metadata-Version: 1.1\nName: old\nVersion: 1\n")
    (folder / "requires.txt").write_text(_REQUIRES)
    names = [path.relative_to(tmp_path).as_posix() for path in folder.iterdir()]
    (found,) = find_distributions(names, lambda name, _: (tmp_path / name).read_bytes())
    assert found.metadata is not None
    theirs = importlib.metadata.Distribution.at(folder).requires or []
    assert [str(Requirement(text)) for text in found.metadata.requires_dist] == [
        str(Requirement(text)) for text in theirs
    ]


@pytest.mark.parametrize(("python", "asked", "met"), [
    ("3.9", ">=3.8,!=3.9.0,!=3.9.1", True), ("3.9", ">=3.9.2", True), ("3.9", "<3.9.5", True),
    ("3.9", ">=3.10", False), ("3.9.1", ">=3.9.2", False), ("3.9.7", ">=3.9.2", True),
])  # fmt: skip
def test_a_patch_level_that_is_not_known_is_no_reason(python: str, asked: str, met: bool) -> None:
    metadata = read_metadata(f"Name: a\nVersion: 1\nRequires-Python: {asked}\n")
    unmet = list(
        unmet_requirements(
            [Distribution("a-1.dist-info", metadata, None)], environment_of(python, "x86_64")
        )
    )
    assert (not unmet) is met


def test_many_extras_and_requirements_take_little_time() -> None:
    extras = [f"x{n}" for n in range(3_000)]
    metadata = read_metadata(
        "Name: a\nVersion: 1\n"
        + "".join(f"Requires-Dist: b{n} ; extra == '{each}'\n" for n, each in enumerate(extras))
    )
    asks = read_metadata(f"Name: c\nVersion: 1\nRequires-Dist: a[{','.join(extras[:300])}]\n")
    start = time.perf_counter()
    unmet = list(
        unmet_requirements(
            [Distribution("a-1.dist-info", metadata, None),
             Distribution("c-1.dist-info", asks, None)],
            environment_of("3.11", "x86_64"),
        )
    )  # fmt: skip
    assert len(unmet) == 300
    assert time.perf_counter() - start < 10
