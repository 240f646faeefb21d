r"""A command that is really run, and what it must print.

## What it asks

`command`: program and arguments; `{python}` stands for the interpreter of `--python`. `expect`: a
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
command that does not end in time is killed, with all that it started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from typing import IO

from ...findings.checks import Check, Judgement
from ..build import Build
from ..kind import REGEX, TEXTS, Kind, erred, failed, passed, skipped, words
from ..patterns import Pattern

__all__ = ["KIND"]

_MOST_BYTES = 1 << 20
_SECONDS = 120


def _judge(check: Check, build: Build) -> Judgement:
    runner = build.runner
    if runner is None:
        return skipped(check, "runs a command, and only does so with --run")
    command = [
        *runner.prefix,
        *(word.replace("{python}", runner.python) for word in words(check, "command")),
    ]
    given = check.parameters.get("environment", {})
    extra = (
        {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}
    )
    seconds = check.parameters.get("timeout", _SECONDS)
    with tempfile.TemporaryFile() as output:
        try:
            code = _run(command, {**os.environ, **extra}, float(str(seconds)), output)
        except OSError as error:
            return erred(check, f"{command[0]} cannot be run: {error.strerror}")
        output.seek(0)
        text = output.read(_MOST_BYTES).decode("utf-8", "replace")
    lines = text.strip().splitlines()
    if code is None:
        return failed(check, f"did not end within {seconds} seconds", lines[-5:])
    wanted = check.parameters.get("exit_code", 0)
    if code != wanted:
        last = lines[-1][:200] if lines else "and printed nothing"
        return failed(check, f"ended with exit code {code}: {last}", lines[-8:-1])
    expect = check.parameters.get("expect")
    if expect is not None and not Pattern(f"(?m){expect}", "expect").finds(text):
        return failed(check, f"did not print {expect}", lines[-8:])
    return passed(check, lines[-1][:200] if lines else "ended well, and printed nothing")


def _run(
    command: list[str], environment: dict[str, str], seconds: float, output: IO[bytes]
) -> int | None:
    """The exit code; None where it took too long."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


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
