"""Checklists beside each other, builds beside each other, commands and their output."""

# ruff: noqa: E501 - checks are read best as one line each

from __future__ import annotations

import os
import sys
import venv
from pathlib import Path

import pytest

import elfaudit
from elfaudit import CheckStatus
from elfaudit.findings.checks import Runner
from tests.checklist.test_kinds import ERROR, FAIL, PASS, SKIP, Ask, ask, site, write, zipped

__all__ = ["ask", "site"]


def lists(tmp_path: Path, *bodies: str) -> list[str]:
    paths = []
    for number, body in enumerate(bodies):
        path = tmp_path / f"{number}.toml"
        path.write_text(f"name = 'list'\n{body}")
        paths.append(str(path))
    return paths


def test_names_of_checks_are_those_of_their_list(site: Path, tmp_path: Path) -> None:
    """Two lists of one name, with checks of one name: each is judged as if it were alone."""
    first = (
        "[[check]]\nid='x'\nkind='file'\npath='*.py'\nwhen={distribution='other'}\n"
        "[[check]]\nid='pre'\nkind='file'\npath='a.py'\n"
    )
    second = (
        "[[check]]\nid='x'\nkind='file'\npath='nothing'\n"
        "[[check]]\nid='pre'\nkind='file'\npath='nothing'\n"
        "[[check]]\nid='post'\ntitle='the post'\nkind='file'\npath='a.py'\nrequires=['pre']\n"
    )
    paths = lists(tmp_path, first, second)
    one, two = elfaudit.verify(str(site), paths)
    assert [each.status for each in one.judgements] == [SKIP, PASS]
    assert [each.status for each in two.judgements] == [FAIL, FAIL, SKIP]
    assert two.judgements[2].message == "only where this passes: pre (FAIL)"
    (alone,) = elfaudit.verify(str(site), paths[1])
    assert alone.judgements == two.judgements


def test_the_newest_of_two_versions_counts(site: Path, tmp_path: Path) -> None:
    write(site, {"pkg-2.0.dist-info/METADATA": b"Name: pkg\nVersion: 2.0\n"})
    (path,) = lists(tmp_path, "[[check]]\nkind='file'\npath='a.py'\n"
                    "when={distribution='pkg', version='>=2'}\n")  # fmt: skip
    assert elfaudit.verify(str(site), path)[0].judgements[0].status is PASS


def wheel(tmp_path: Path, folder: str, name: str = "p", version: str = "1") -> Path:
    base = tmp_path / f"files-{name}-{version}"
    write(base, {f"{name}/__init__.py": b"",
                 f"{name}-{version}.dist-info/METADATA":
                 f"Name: {name}\nVersion: {version}\n".encode(),
                 f"{name}-{version}.dist-info/WHEEL": b"Wheel-Version: 1.0\n"})  # fmt: skip
    (tmp_path / folder).mkdir(exist_ok=True)
    return zipped(base, tmp_path / folder / f"{name}-{version}-py3-none-any.whl")


def test_builds_of_one_file_name_are_told_apart(tmp_path: Path) -> None:
    builds = [str(wheel(tmp_path, folder)) for folder in ("old", "new")]
    labels = [each.build for each in elfaudit.verify(builds)]
    assert labels == ["old/p-1-py3-none-any.whl", "new/p-1-py3-none-any.whl"]


def test_a_directory_stands_for_its_wheels(tmp_path: Path) -> None:
    wheel(tmp_path, "dist", version="1")
    wheel(tmp_path, "dist", version="2")
    (tmp_path / "dist/logs").mkdir()
    reports = elfaudit.verify(str(tmp_path / "dist"))
    assert [each.build for each in reports] == ["p-1-py3-none-any.whl", "p-2-py3-none-any.whl"]
    wheel(tmp_path, "both", "p")
    wheel(tmp_path, "both", "q")
    (report,) = elfaudit.verify(str(tmp_path / "both"))
    assert report.build == "p-1-py3-none-any.whl + q-1-py3-none-any.whl"


def test_one_that_cannot_be_opened_keeps_no_other_from_being_judged(tmp_path: Path) -> None:
    good, bad = wheel(tmp_path, "a", version="1"), wheel(tmp_path, "a", version="2")
    bad.write_bytes(bad.read_bytes()[:100])
    first, second = elfaudit.verify([str(good), str(bad)])
    assert {each.status for each in first.judgements} <= {PASS, SKIP}
    assert {each.status for each in second.judgements} == {ERROR}
    assert "p-2-py3-none-any.whl" in second.judgements[0].message
    with pytest.raises(elfaudit.SourceError):
        elfaudit.verify(str(bad))


_ALLOWED = Runner(sys.executable)


@pytest.mark.parametrize(("toml", "status", "told"), [
    ("command=['{python}', '-c', 'print(7)']\nexpect='^7$'", PASS, "7"),
    ("command=['{python}', '-c', 'print(1)', \"a\\u0000b\"]", ERROR, "the command cannot be run"),
    ("command=['{python}', '-c', '1']\nenvironment={'a=b'='c'}", ERROR, "the command cannot be run"),
    ("command=['{python}', '-c', \"print('x' * 5_000_000); print('LAST')\"]\nexpect='LAST'", PASS, "LAST"),
    ("command=['{python}', '-c', \"print('FIRST'); print('x' * 5_000_000)\"]\nexpect='FIRST'", PASS, "x" * 200),
    ("command=['{python}', '-c', 'import os; os.kill(os.getpid(), 11)']", FAIL, "was killed by SIGSEGV, and printed nothing"),
    ("command=['{python}', '-c', 'raise SystemExit(3)']", FAIL, "ended with exit code 3, and printed nothing"),
])  # fmt: skip
def test_commands(ask: Ask, site: Path, toml: str, status: CheckStatus, told: str) -> None:
    judgement = ask(f"kind='run'\n{toml}", site, runner=_ALLOWED)
    assert judgement.status is status
    assert judgement.message.startswith(told)
    assert len(judgement.message) < 300


def test_a_prefix_that_cannot_run_it_is_no_failure(ask: Ask, site: Path) -> None:
    prefix = ("sh", "-c", "echo no such image; exit 125")
    judgement = ask("kind='run'\ncommand=['x']", site, runner=Runner(prefix=prefix))
    assert judgement.status is ERROR
    assert judgement.message == "sh could not run it (exit code 125): no such image"


def test_the_interpreter_is_that_of_the_environment(ask: Ask, tmp_path: Path) -> None:
    venv.create(tmp_path / "env")
    (packages,) = (tmp_path / "env").glob("lib/python3*/site-packages")
    toml = "kind='run'\ncommand=['{python}', '-c', 'import sys; print(sys.prefix)']"
    judgement = ask(toml, packages, runner=Runner())
    assert os.path.samefile(judgement.message, tmp_path / "env")


def test_broken_links_among_devices(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/renderD128").symlink_to("nothing")
    toml = f"kind='device'\npaths=['{tmp_path}/dev']"
    judgement = ask(toml, Path("/"))
    assert judgement.status is ERROR
    assert "renderD128 cannot be looked at" in judgement.message


@pytest.mark.parametrize("encode", [
    lambda text: text.encode(), lambda text: __import__("gzip").compress(text.encode()),
    lambda text: text.encode("utf-16"),
    lambda text: b"".join(__import__("gzip").compress(line.encode()) for line in text.splitlines(True)),
], ids=["plain", "gzip", "utf-16", "members"])  # fmt: skip
def test_logs_of_any_form(ask: Ask, site: Path, tmp_path: Path, encode: object) -> None:
    text = "".join(f"-- line {n}\n" for n in range(50)) + "USE_ROCM : ON\nend\n"
    log = tmp_path / "build.log"
    log.write_bytes(encode(text))  # type: ignore[operator]
    judgement = ask(f"kind='log'\npath='{log}'\nmust=['USE_ROCM']\nmust_not=['fatal']", site)
    assert judgement.status is PASS
    assert judgement.message == f"{log}:51 has USE_ROCM"
    none = ask(f"kind='log'\npath='{log}'\nmust_not=['fatal']", site)
    assert none.message == "none of 52 lines has what must not be there"


def test_a_log_whose_end_is_missing(ask: Ask, site: Path, tmp_path: Path) -> None:
    """``gzip -t``: unexpected end of file."""
    whole = __import__("gzip").compress(os.urandom(50_000))
    log = tmp_path / "build.log.gz"
    for end in (1, 9, 30_000):
        log.write_bytes(whole[:-end])
        judgement = ask(f"kind='log'\npath='{log}'\nmust_not=['fatal']", site)
        assert judgement.status is ERROR
        assert "ends too early" in judgement.message


def test_what_is_for_another_version_is_told_only_if_asked(site: Path, tmp_path: Path) -> None:
    (path,) = lists(tmp_path, "[[check]]\nid='a'\nkind='file'\npath='a.py'\nwhen={distribution='pkg', "
                    "version='<1'}\n[[check]]\nid='b'\nkind='file'\npath='no'\n[[check]]\nid='c'\n"
                    "kind='file'\npath='a.py'\nrequires=['b']\nwhen={distribution='pkg'}\n")  # fmt: skip
    first, second, third = elfaudit.verify(str(site), path)[0].judgements
    assert (first.status, first.applies) == (SKIP, False)
    assert (second.status, third.status, third.applies) == (FAIL, SKIP, True)


def test_the_interpreter_of_a_relative_path(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(tmp_path / "env")
    (packages,) = (tmp_path / "env").glob("lib/python3*/site-packages")
    toml = "kind='run'\ncommand=['{python}', '-c', 'import sys; print(sys.prefix)']"
    for place in (tmp_path / "env", tmp_path / "env/lib", packages):
        monkeypatch.chdir(place)
        target = Path(os.path.relpath(packages, place))
        assert os.path.samefile(ask(toml, target, runner=Runner()).message, tmp_path / "env")
