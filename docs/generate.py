"""Write what the documentation can take from the program itself.

``python docs/generate.py`` writes ``docs/cli.md``, the output shown under every ``$ command`` of
the README and of the rules' docstrings, from these docstrings ``docs/rules/``, from those of the
kinds of check ``docs/checks/``, and the JSON Schema of checklists; ``--check`` says what would
change and exits with 1. Run it from anywhere; the commands run in the repository's root.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from elfaudit.checklist.kinds import KINDS
from elfaudit.checklist.schema import whole_schema
from elfaudit.cli import cli as program
from elfaudit.findings import RULES, Rule

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
REFERENCE = ROOT / "docs" / "cli.md"
FINDINGS = ROOT / "elfaudit" / "findings"
RULE_PAGES = ROOT / "docs" / "rules"
CHECK_PAGES = ROOT / "docs" / "checks"
CHECKLIST_SCHEMA = ROOT / "elfaudit" / "schema" / "checklist.json"
WIDTH = 100

_EXIT_CODES = """\
Every command exits with 0 when all is well, 1 when it found something, and 2 when it could not run.
Errors are one sentence on standard error.
"""
_GENERATED = "<!-- Written by docs/generate.py; do not edit. -->\n"
_SELECTION = """\
Every finding has a rule. `elfaudit explain RULE` prints the page of one, `elfaudit explain` this
list.

`elfaudit resolve --select RULE[,RULE]` reports these rules only (`all`: every rule; `default`:
those that are asked without being named, so `--select default,unused-needed` adds one);
`--ignore RULE[,RULE]` leaves rules out, selected or not. Both decide what is reported and what
`--fail-on` counts, and nothing else: a file that the loader refuses is still FAILS, with the
loader's message, when the rule that found it is ignored; but the exit code is then that of a file
without the finding. So `--ignore` takes a known failure out of a CI gate and leaves it visible.
"""
_CONSOLE = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)


def reference() -> str:
    """``docs/cli.md``: the help of every command, as a terminal of 80 columns shows it."""
    parts = [
        "# Commands\n",
        _GENERATED,
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


def pages() -> Iterator[tuple[Path, str]]:
    """Every file that is written here, and what should be in it."""
    yield README, readme(README.read_text())
    yield REFERENCE, reference()
    yield RULE_PAGES / "README.md", rule_index()
    yield CHECKLIST_SCHEMA, json.dumps(whole_schema(KINDS.values()), indent=1) + "\n"
    yield CHECK_PAGES / "README.md", check_index()
    for kind in KINDS.values():
        title, _, rest = (kind.document or "").partition("\n")
        head = f"# {kind.name}\n\n{_GENERATED}\n[All kinds of check](README.md)\n\n{title}"
        yield CHECK_PAGES / f"{kind.name}.md", f"{head}\n\n{rest.strip()}\n"
    for rule in RULES:
        source = FINDINGS / f"{rule.name.replace('-', '_')}.py"
        text = readme(source.read_text())
        yield source, text
        document = ast.get_docstring(ast.parse(text), clean=False)
        yield RULE_PAGES / f"{rule.name}.md", rule_page(replace(rule, document=document))


def rule_page(rule: Rule) -> str:
    """The page of one rule, with a link to the others."""
    title, _, rest = rule.page.partition("\n")
    return f"{title}\n\n{_GENERATED}\n[All rules](README.md)\n{rest}"


def rule_index() -> str:
    """The list of all rules."""
    rows = [
        f"| [{rule.name}]({rule.name}.md) | {rule.severity.name.lower()} | {rule.summary}"
        f"{'' if rule.default else ' Only with `--select`.'} |"
        for rule in sorted(RULES, key=lambda rule: (-rule.severity, rule.name))
    ]
    head = "| rule | worst severity | what it is |\n| --- | --- | --- |"
    return "\n".join((f"# Rules\n\n{_GENERATED}\n{_SELECTION}\n{head}", *rows)) + "\n"


def check_index() -> str:
    """The list of all kinds of check."""
    rows = [f"| [{kind.name}]({kind.name}.md) | {kind.summary} |" for kind in KINDS.values()]
    head = "| kind | what it asks |\n| --- | --- |"
    intro = "What a check of a [checklist](../checklists.md) can ask. Nothing is run but by `run`."
    return "\n".join((f"# Kinds of check\n\n{_GENERATED}\n{intro}\n\n{head}", *rows)) + "\n"


def stale() -> list[Path]:
    """The pages whose text is not what the program says now."""
    return [path for path, text in pages() if not path.exists() or path.read_text() != text]


def _command_names() -> list[str]:
    return sorted(program.list_commands(click.Context(program)))


def main() -> int:
    """Write the pages, or with ``--check`` only tell of those that are stale."""
    if "--check" in sys.argv[1:]:
        for path in (old := stale()):
            print(f"{path.relative_to(ROOT)} is stale: run python docs/generate.py")
        return 1 if old else 0
    RULE_PAGES.mkdir(exist_ok=True)
    CHECK_PAGES.mkdir(exist_ok=True)
    for path, text in pages():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
