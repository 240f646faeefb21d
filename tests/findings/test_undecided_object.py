"""What musl may take although nobody can follow it: neither LOADS nor FAILS."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.findings import Finding, Resolution, Verdict
from tests.loader.test_hostile import SOUND, library
from tests.loader.test_musl_hostile import whole_root

_NO_HASH = "it has no hash table: the loader crashes where it looks for a symbol"


def asked(root: Path, name: str) -> Resolution:
    return resolve(str(root / name), root=str(root), libc="musl")


def told(ours: Resolution) -> Finding:
    (finding,) = [each for each in ours.findings if each.rule == "undecided-object"]
    return finding


def test_a_library_that_is_needed(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    (root / "lib/libbad.so").write_bytes(library([]))
    (root / "liba.so").write_bytes(library(["libbad.so"], tables=SOUND))
    ours = asked(root, "liba.so")
    assert (ours.verdict, ours.error) == (Verdict.UNDECIDED, None)
    message = told(ours).message
    assert message == f"libbad.so: cannot be told whether the loader takes it: {_NO_HASH}"
    assert told(ours).evidence == ("/lib/libbad.so: cannot be told",)


def test_the_file_that_is_asked_about(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    (root / "libbad.so").write_bytes(library(["libgone.so"]))
    ours = asked(root, "libbad.so")
    assert (ours.verdict, ours.error) == (Verdict.UNDECIDED, None)
    assert told(ours).location == ours.subject


@pytest.mark.parametrize(("needed", "verdict"), [([], "LOADS"), (["libgone.so"], "FAILS")])
def test_what_is_sound_is_decided(tmp_path: Path, needed: list[str], verdict: str) -> None:
    root = whole_root(tmp_path)
    (root / "liba.so").write_bytes(library(needed, tables=SOUND))
    assert asked(root, "liba.so").verdict.value == verdict


def test_a_file_that_says_it_is_of_another_class(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    raw = bytearray(library([], tables=SOUND))
    raw[:7] = b"what is"
    (root / "lib/libodd.so").write_bytes(raw)
    (root / "liba.so").write_bytes(library(["libodd.so"], tables=SOUND))
    assert asked(root, "liba.so").verdict is Verdict.LOADS
