"""The check `requires`: what it tells, and what to do next."""

from __future__ import annotations

from pathlib import Path

import elfaudit
from elfaudit import CheckStatus, Judgement


def judged(folder: Path) -> Judgement:
    path = folder.parent / "list.toml"
    path.write_text("name = 'x'\n[[check]]\nkind='requires'\npython='3.11'\n")
    (only,) = elfaudit.verify([str(folder)], str(path))[0].judgements
    return only


def installed(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.dist-info").mkdir(parents=True)
    (folder / f"{name}.dist-info/METADATA").write_text(f"Metadata-Version: 2.1\n{text}")


def test_the_command_installs_what_is_missing_and_what_is_of_another_version(
    tmp_path: Path,
) -> None:
    site = tmp_path / "site"
    installed(site, "a-1", "Name: a\nVersion: 1\nRequires-Dist: b>=2\nRequires-Dist: c\n")
    installed(site, "b-1", "Name: b\nVersion: 1\nRequires-Python: <3\n")
    found = judged(site)
    assert found.status is CheckStatus.FAIL
    assert found.advice == "pip install 'b>=2' c"


def test_a_distribution_without_a_name_does_not_hide_the_others(tmp_path: Path) -> None:
    site = tmp_path / "site"
    installed(site, "a-1", "Name: a\nVersion: 1\nRequires-Dist: c\n")
    installed(site, "b-1", "Version: 1\n")
    assert judged(site).message == (
        "b-1.dist-info: METADATA has no Name; a 1 requires c, which is not installed"
    )
