"""Write what the documentation can take from the program itself.

``python docs/generate.py`` writes ``docs/cli.md`` and the output shown under every ``$ command`` of
the README; ``--check`` says what would change and exits with 1. Run it from anywhere; the commands
run in the repository's root.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click

from elfaudit.cli import cli as program

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
REFERENCE = ROOT / "docs" / "cli.md"
WIDTH = 100

_EXIT_CODES = """\
Every command exits with 0 when all is well, 1 when it found something, and 2 when it could not run.
Errors are one sentence on standard error.
"""
_CONSOLE = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)


def reference() -> str:
    """``docs/cli.md``: the help of every command, as a terminal of 80 columns shows it."""
    parts = [
        "# Commands\n",
        "<!-- Written by docs/generate.py; do not edit. -->\n",
        _EXIT_CODES,
    ]
    for name in ("", *_command_names()):
        title = f"elfaudit {name}".strip()
        parts.append(f"## {title}\n\n```text\n{run(f'{title} --help', width=80).rstrip()}\n```\n")
    return "\n".join(parts)


def readme(text: str) -> str:
    """The README with the output of every ``$ command`` as it is now."""

    def block(match: re.Match[str]) -> str:
        commands = [line[2:] for line in match[0].splitlines() if line.startswith("$ ")]
        return "".join(f"$ {command}\n{run(command)}" for command in commands)

    return _CONSOLE.sub(block, text)


def run(command: str, *, width: int = WIDTH) -> str:
    """What a command prints, standard error included, on a terminal that is none."""
    environment = {**os.environ, "COLUMNS": str(width), "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        ["bash", "-c", f'elfaudit() {{ "{sys.executable}" -m elfaudit "$@"; }}; {command}'],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return result.stdout


def stale() -> list[Path]:
    """The pages whose text is not what the program says now."""
    pages = ((README, readme(README.read_text())), (REFERENCE, reference()))
    return [path for path, text in pages if not path.exists() or path.read_text() != text]


def _command_names() -> list[str]:
    return sorted(program.list_commands(click.Context(program)))


def main() -> int:
    """Write the pages, or with ``--check`` only tell of those that are stale."""
    if "--check" in sys.argv[1:]:
        for path in (pages := stale()):
            print(f"{path.relative_to(ROOT)} is stale: run python docs/generate.py")
        return 1 if pages else 0
    REFERENCE.write_text(reference())
    README.write_text(readme(README.read_text()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
