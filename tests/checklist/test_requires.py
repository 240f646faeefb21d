"""The check `requires`: what it tells, and what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.metadata import InvalidMetadata, parse_email
from packaging.metadata import Metadata as Theirs

import elfaudit
from elfaudit import CheckStatus, Judgement

from .test_kinds import zipped


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


@pytest.mark.parametrize(("field", "told", "status"), [
    ("Version: 1\nRequires-Dist: 1 2 ??", "b 1 has a Requires-Dist that is none: '1 2 ??'", "FAIL"),
    ("Version: 1\nRequires-Python: ~~3", "b has a Requires-Python that is none: '~~3'",
     "UNDECIDED"),
    ("Version: one", "b has a Version that is none: 'one'", "UNDECIDED"),
    ("Version: 1\nRequires-Python: >=3",
     "all that 1 distribution asked for is there, for Python 3.11", "PASS"),
])  # fmt: skip
def test_what_packaging_does_not_parse_is_told(
    tmp_path: Path, field: str, told: str, status: str
) -> None:
    text = f"Name: b\n{field}\n"
    installed(tmp_path / "site", "b-1", text)
    raw, _ = parse_email(f"Metadata-Version: 2.1\n{text}")
    if status == "PASS":
        Theirs.from_raw(raw)
    else:
        with pytest.raises((InvalidMetadata, ExceptionGroup)):
            Theirs.from_raw(raw)
    found = judged(zipped(tmp_path / "site", tmp_path / "b-1-py3-none-any.whl"))
    assert (found.status.name, found.message) == (status, told)


_HUGE = "3" * 5000  # more digits than Python makes a number of


@pytest.mark.parametrize("field", [
    f"Version: {_HUGE}", f"Version: 1\nRequires-Python: >={_HUGE}",
    f'Version: 1\nRequires-Dist: q; python_version>"{_HUGE}"',
    f"Version: 1\nRequires-Dist: b>={_HUGE}", f"Version: 1\nRequires-Dist: b<{_HUGE},>=1",
    f"Version: 1\nRequires-Dist: q<{_HUGE},>=1",
])  # fmt: skip
def test_numbers_of_thousands_of_digits(tmp_path: Path, field: str) -> None:
    """No check of any profile ends in an error of ours, and a difference can be told."""
    installed(tmp_path / "site", "b-1", f"Name: b\n{field}\n")
    installed(tmp_path / "other", "b-1", "Name: b\nVersion: 1\n")
    wheel = zipped(tmp_path / "site", tmp_path / "b-1-py3-none-any.whl")
    (tmp_path / "when.toml").write_text(
        "name = 'x'\n[[check]]\nkind='count'\nwhat='distributions'\n"
        "when = {distribution = 'b', version = '>=1'}\n"
        "[[check]]\nkind='count'\nwhat='files'\n"
        f"when = {{distribution = 'b', version = '>=1,<{_HUGE}'}}\n"
    )
    for target in (str(wheel), str(tmp_path / "site")):
        for checklist in ("python-wheel", "pytorch-rocm", str(tmp_path / "when.toml")):
            judgements = elfaudit.verify([target], checklist)[0].judgements
        assert judgements[1].message.startswith("when.version: ")
    elfaudit.diff(str(tmp_path / "other"), str(tmp_path / "site"))


def test_what_a_wheel_without_metadata_requires_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "site/b-1.dist-info").mkdir(parents=True)
    (tmp_path / "site/b-1.dist-info/WHEEL").write_text("Wheel-Version: 1.0\n")
    found = judged(zipped(tmp_path / "site", tmp_path / "b-1-py3-none-any.whl"))
    assert found.status is CheckStatus.UNDECIDED
    assert found.message == ("b-1.dist-info has no METADATA: what the wheel requires is not known")
