r"""A command that is really run, and what it must print.

## What it asks

`command`: program and arguments; `{python}` stands for the interpreter of `--python`, else for that
of the environment that is audited, else for the one that runs elfaudit. `expect`: a
regular expression that must be found in what it prints. `exit_code`: 0 by default. `timeout`: in
seconds. `environment`: variables to add.

```toml
[[check]]
kind = "run"
command = ["{python}", "-c", "import torch; print(torch.version.hip)"]
expect = "^7\\."
timeout = 300
```

## Why

What only hardware can answer: whether a kernel runs on this GPU.

## How it is decided

Off unless `--run` is given: everything else elfaudit says without running anything. There is no
shell. `--run-prefix "docker run --rm IMAGE"` is put in front of every command, word by word. A
command that does not end in time is killed, with its process group. Of what it prints the first
and the last megabyte are looked at.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from threading import Thread
from typing import IO

from ...findings.checks import Check, Judgement, Runner
from ..build import Build
from ..kind import REGEX, TEXTS, Kind, erred, failed, passed, skipped, words
from ..patterns import Pattern

__all__ = ["KIND"]

_KEPT, _PIECE = 1 << 20, 64 << 10  # of its beginning, and again of its end
_LONGEST = 200
_NOT_RUN = (125, 126, 127)  # docker-run(1), "Exit status": not what the command said
_SECONDS, _SECONDS_TO_DRAIN = 120, 2.0


def _judge(check: Check, build: Build) -> Judgement:
    runner = build.runner
    if runner is None:
        return skipped(check, "runs a command, and only does so with --run")
    given = check.parameters.get("environment", {})
    extra = (
        {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}
    )
    command = _command(check, build, runner)
    seconds = float(str(check.parameters.get("timeout", _SECONDS)))
    output = _Output()
    try:
        code = _run(command, {**os.environ, **extra}, seconds, output)
    except OSError as error:
        return erred(check, f"{command[0]} cannot be run: {error.strerror}")
    except ValueError as error:  # a NUL in a word, an = in the name of a variable
        return erred(check, f"the command cannot be run: {error}")
    if runner.prefix and code in _NOT_RUN:
        told = output.text().strip().partition("\n")[0][:_LONGEST]
        return erred(check, f"{runner.prefix[0]} could not run it (exit code {code}): {told}")
    return _judged(check, code, seconds, output)


def _command(check: Check, build: Build, runner: Runner) -> list[str]:
    python = runner.python
    if python is None:
        python = "python3" if runner.prefix else build.machine.interpreter or sys.executable
    own = (word.replace("{python}", python) for word in words(check, "command"))
    return [*runner.prefix, *own]


def _judged(check: Check, code: int | None, seconds: float, output: _Output) -> Judgement:
    lines = [line[:_LONGEST] for line in output.text().strip().splitlines()]
    if code is None:
        return failed(check, f"did not end within {seconds:g} s", lines[-5:])
    wanted = check.parameters.get("exit_code", 0)
    if code != wanted:
        last = f": {lines[-1]}" if lines else ", and printed nothing"
        return failed(check, f"{_ended(code)}{last}", lines[-8:-1])
    expect = check.parameters.get("expect")
    if expect is not None and not Pattern(str(expect), "expect").finds_in_lines(output.text()):
        return failed(check, f"did not print {expect}", lines[-8:])
    return passed(check, lines[-1] if lines else "ended well, and printed nothing")


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


class _Output:
    """What a command prints: its beginning and its end, however much there is between."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._between = False

    def read(self, stream: IO[bytes]) -> None:
        """All there is, until the other side closes it."""
        while data := stream.read1(_PIECE):  # type: ignore[attr-defined]
            room = _KEPT - len(self._head)
            self._head += data[:room]
            self._tail += data[room:]
            if len(self._tail) > 2 * _KEPT:
                del self._tail[:-_KEPT]
                self._between = True

    def text(self) -> str:
        between = b"\n...\n" if self._between else b""
        return (self._head + between + self._tail).decode("utf-8", "replace")


def _run(
    command: list[str], environment: dict[str, str], seconds: float, output: _Output
) -> int | None:
    """The exit code; None where it took too long."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None  # noqa: S101 - it was asked for
    reader = Thread(target=output.read, args=(process.stdout,), daemon=True)
    reader.start()
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        reader.join(_SECONDS_TO_DRAIN)
        if not reader.is_alive():  # else a daemon that it left behind holds the pipe
            process.stdout.close()


KIND = Kind(
    "run",
    __doc__,
    _judge,
    {
        "command": TEXTS,
        "expect": REGEX,
        "exit_code": {"type": "integer", "minimum": 0, "maximum": 255},
        "timeout": {"type": "number", "exclusiveMinimum": 0, "maximum": 86_400},
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    ("command",),
)
