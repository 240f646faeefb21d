"""How the command behaves towards terminals, pipes and interrupts."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from elfaudit.cli import group, output

from .conftest import Process, Run, environment


def on_terminal(*args: object, **env: str) -> tuple[str, str]:
    """(stdout, stderr) of the command, each of them a terminal."""
    out, out_end = pty.openpty()
    err, err_end = pty.openpty()
    command = [sys.executable, "-m", "elfaudit", *map(str, args)]
    started = subprocess.Popen(
        command, stdout=out_end, stderr=err_end, env=environment(TERM="xterm", **env)
    )
    os.close(out_end)
    os.close(err_end)
    texts = [drain(out), drain(err)]
    started.wait()
    return texts[0], texts[1]


def drain(descriptor: int) -> str:
    text = b""
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        text += chunk
    os.close(descriptor)
    return text.decode()


def test_colour_and_progress_are_for_terminals(wheel: Path, story: Path) -> None:
    out, err = on_terminal("resolve", wheel, "--root", story / "root", NO_COLOR="")
    assert "\x1b[31;1mFAILS\x1b[0m" in out
    assert err.startswith("\r\x1b[K1  torch-2.9.1+rocm7.1.dist-info/METADATA")
    assert err.endswith("\r\x1b[K")  # and cleared


def test_no_color_with_any_value_disables_colour(wheel: Path, story: Path) -> None:
    out, _ = on_terminal("resolve", wheel, "--root", story / "root", NO_COLOR="0")
    assert "\x1b" not in out


def test_no_colour_in_a_pipe(process: Process, wheel: Path, story: Path) -> None:
    result = process("resolve", wheel, "--root", story / "root", NO_COLOR="")
    assert "\x1b" not in result.stdout
    assert result.stderr == ""


def test_into_a_pipe_nothing_is_broken_into_lines(
    process: Process, wheel: Path, story: Path
) -> None:
    result = process("resolve", wheel, "--root", story / "root", COLUMNS="")
    assert any(len(line) > 100 and "fix: " in line for line in result.stdout.splitlines())


def test_a_reader_that_has_gone_is_no_error(prebuilt: Path) -> None:
    target = prebuilt / "machines/x86_64/libdemo.so"
    arguments = [sys.executable, "-m", "elfaudit", "symbols", str(target)]
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run(
        arguments, stdout=write, stderr=subprocess.PIPE, check=False, env=environment()
    )
    os.close(write)
    assert result.returncode == 141
    assert result.stderr == b""


def test_help_into_a_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run(
        [sys.executable, "-m", "elfaudit", "--help"],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
        env=environment(),
    )
    os.close(write)
    assert result.stderr == b""


def test_an_interrupt_is_quiet(run: Run, prebuilt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(text: str) -> None:
        raise KeyboardInterrupt

    from elfaudit.cli import show

    monkeypatch.setattr(show, "write", interrupted)
    result = run("show", prebuilt / "shapes/libdep.so.1")
    assert result.exit_code == 128 + signal.SIGINT
    assert result.output == ""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_names_that_no_encoding_has_are_escaped(
    process: Process, prebuilt: Path, tmp_path: Path, encoding: str
) -> None:
    odd = tmp_path / os.fsdecode(b"lib\xff\x1b[31m\xc5\x82.so")
    odd.write_bytes((prebuilt / "shapes/libdep.so.1").read_bytes())
    for command in ("resolve", "show"):
        result = process(command, odd, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
        assert result.returncode == 0, result.stderr
        assert r"lib\xff\x1b[31m" in result.stdout
        assert "\x1b" not in result.stdout


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with output.Progress() as progress:
        progress("a file")
    assert capsys.readouterr().err == ""


def test_standard_output_that_is_no_file_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import io

    kept = io.StringIO()
    monkeypatch.setattr(sys, "stdout", kept)
    kept.write("before, ")
    group._discard_output()
    kept.write("after")
    assert kept.getvalue() == "before, after"


def shell(command: str, cwd: Path | None = None) -> tuple[int, str]:
    """(exit code, standard error) of a shell command in which ``elfaudit`` is ours."""
    started = subprocess.run(
        ["bash", "-c", f'elfaudit() {{ "{sys.executable}" -m elfaudit "$@"; }}; {command}'],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=cwd,
        check=False,
    )
    return started.returncode, started.stderr


@pytest.mark.parametrize("arguments", ["show {file}", "resolve {file}", "schema", "--help"])
def test_a_full_disk_is_told_in_a_sentence(arguments: str, prebuilt: Path) -> None:
    file = prebuilt / "shapes/libdep.so.1"
    code, error = shell(f"elfaudit {arguments.format(file=file)} > /dev/full")
    assert code == 2
    assert error == "elfaudit: the output cannot be written: No space left on device\n"


def test_closed_streams(prebuilt: Path) -> None:
    code, error = shell(f"elfaudit show {prebuilt}/shapes/libdep.so.1 >&-")
    assert (code, error) == (2, "elfaudit: standard output is closed\n")
    assert shell("elfaudit show /nowhere 2>&-")[0] == 2


@pytest.mark.parametrize("arguments", ["resolve .", "providers f --in .", "resolve ./x.so"])
def test_a_current_directory_that_is_gone(arguments: str, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    code, error = shell(f"rmdir ../gone; elfaudit {arguments}", tmp_path / "gone")
    assert code == 2
    assert error.startswith("elfaudit: ")
    assert error.count("\n") == 1
