"""What is there is not asked for again, and what cannot be had skips a test with its reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from . import fetch
from .conftest import had


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """An empty cache, and clients that refuse everything; the commands they were given."""
    commands: list[list[str]] = []

    def refuse(command: list[str], what: str, cwd: Path | None = None) -> None:
        commands.append(command)
        raise fetch.Unavailable(f"{what}: it is not offered")

    monkeypatch.setenv("ELFAUDIT_REAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fetch, "_run", refuse)
    monkeypatch.setattr(fetch, "_answers", {})
    return commands


@pytest.mark.parametrize("name", fetch.WHEELS)
def test_a_refusal_has_its_reason_and_is_asked_for_once(name: str, asked: list[list[str]]) -> None:
    for _ in range(2):
        with pytest.raises(fetch.Unavailable, match="it is not offered"):
            fetch.wheel(name)
    assert len(asked) == 1
    assert {"--no-deps", "--only-binary=:all:"} <= set(asked[0])
    assert not list(fetch.cache_directory().iterdir()), "half a download was left behind"


def test_torch_is_asked_for_as_a_build_for_the_cpu_only(asked: list[list[str]]) -> None:
    with pytest.raises(fetch.Unavailable):
        fetch.wheel("torch")
    assert asked[0][-1] == "torch==2.13.0+cpu"


@pytest.mark.usefixtures("asked")
def test_the_fixture_skips_with_the_reason() -> None:
    with pytest.raises(pytest.skip.Exception, match=r"bitsandbytes==.*: it is not offered"):
        had(fetch.wheel, "bitsandbytes")


def test_what_is_there_is_taken_unasked(asked: list[list[str]]) -> None:
    directory = fetch.cache_directory()
    (directory / "debian" / "librocm-smi64-1").mkdir(parents=True)
    file = directory / "bitsandbytes-0.50.2-py3-none-manylinux_2_24_x86_64.whl"
    file.touch()
    assert fetch.wheel("bitsandbytes") == file
    assert fetch.debian("librocm-smi64-1") == directory / "debian" / "librocm-smi64-1"
    assert not asked


def test_the_command_takes_known_names_only(
    asked: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        fetch.main(["numppy"])
    assert "numppy: is not among torch" in capsys.readouterr().err
    assert fetch.main(["numpy"]) == 1
    assert "numpy: not to be had: numpy==" in capsys.readouterr().err
    assert len(asked) == 1


def test_a_client_that_fails_gives_its_last_word() -> None:
    run: Callable[[list[str], str], None] = fetch._run
    with pytest.raises(fetch.Unavailable, match="demo: sh does not offer it here: ERROR: why"):
        run(["sh", "-c", "echo ERROR: why >&2; exit 1"], "demo")
    with pytest.raises(fetch.Unavailable, match=r"demo: .*no-such-client"):
        run(["./no-such-client"], "demo")
