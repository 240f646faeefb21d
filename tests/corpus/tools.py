"""What edits the files: ours, patchelf in each version that is here, and LIEF."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Protocol

from elfaudit.errors import ElfAuditError
from elfaudit.patch.edits import AddNeeded, PatchEdit, RemoveNeeded
from elfaudit.patch.files import carry_out
from elfaudit.patch.planning import plan, plan_undo
from elfaudit.stream import FileStream

from .machines import Missing, run

__all__ = ["Lief", "Ours", "Patchelf", "Tool", "tools"]


class Tool(Protocol):
    """Adds libraries to a file and removes them; each answers why it could not, or None."""

    @property
    def name(self) -> str: ...

    def add(self, source: Path, target: Path, library: str) -> str | None: ...

    def remove(self, source: Path, target: Path, libraries: Sequence[str]) -> str | None: ...


class Ours:
    """The editor of this project."""

    name = "elfaudit"

    def add(self, source: Path, target: Path, library: str) -> str | None:
        return self._edit(source, target, [AddNeeded(library)])

    def remove(self, source: Path, target: Path, libraries: Sequence[str]) -> str | None:
        return self._edit(source, target, [RemoveNeeded(each) for each in libraries])

    def undo(self, source: Path, target: Path) -> str | None:
        """Give the file back that was there before the first edit."""
        return self._edit(source, target, None)

    def _edit(self, source: Path, target: Path, edits: Sequence[PatchEdit] | None) -> str | None:
        stream = FileStream(str(source))
        try:
            name = source.name
            planned = plan_undo(stream, name) if edits is None else plan(stream, name, edits)
            carry_out(planned, str(source), str(target))
        except ElfAuditError as error:
            return str(error)
        finally:
            stream.release()
        return None


class Patchelf:
    """``patchelf``, by its path."""

    def __init__(self, path: str) -> None:
        done = run([path, "--version"])
        if done.problem is not None:
            raise Missing(f"{path}: {done.problem}")
        self.name = done.output.strip()
        self._path = path

    def add(self, source: Path, target: Path, library: str) -> str | None:
        return self._edit(source, target, ["--add-needed", library])

    def remove(self, source: Path, target: Path, libraries: Sequence[str]) -> str | None:
        flags = [word for each in libraries for word in ("--remove-needed", each)]
        return self._edit(source, target, flags)

    def _edit(self, source: Path, target: Path, flags: Sequence[str]) -> str | None:
        return run([self._path, *flags, "--output", str(target), str(source)]).problem


_LIEF = """
import json, os, signal, sys, lief
print(lief.__version__.split("-")[0], flush=True)
for line in sys.stdin:
    how, source, target, *names = json.loads(line)
    child = os.fork()
    if not child:
        signal.alarm(60)
        binary = lief.ELF.parse(source)
        for name in names:
            binary.add_library(name) if how == "add" else binary.remove_library(name)
        binary.write(target)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Lief:
    """LIEF, in a process of its own that forks for each file: it may abort, and is long to load."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LIEF],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        version = self._answer()
        if not version:
            raise Missing("no LIEF")
        self.name = f"LIEF {version}"

    def add(self, source: Path, target: Path, library: str) -> str | None:
        return self._edit("add", source, target, [library])

    def remove(self, source: Path, target: Path, libraries: Sequence[str]) -> str | None:
        return self._edit("remove", source, target, libraries)

    def _edit(self, how: str, source: Path, target: Path, names: Sequence[str]) -> str | None:
        question = json.dumps([how, str(source), str(target), *names])
        assert self._process.stdin is not None
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        code = self._answer()
        if code == "0":
            return None
        return f"signal {code[1:]}" if code.startswith("-") else f"exit {code}"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@cache
def tools() -> tuple[Tool, ...]:
    """All that are here; several versions of patchelf where ``CORPUS_PATCHELF`` lists their paths.

    ``CORPUS_PATCHELF`` is separated by colons; what PATH has comes first.
    """
    tools: list[Tool] = [Ours()]
    found = [shutil.which("patchelf"), *os.environ.get("CORPUS_PATCHELF", "").split(":")]
    known: set[str] = set()
    for path in filter(None, found):
        try:
            tool = Patchelf(path)
        except Missing:
            continue
        if tool.name not in known:
            known.add(tool.name)
            tools.append(tool)
    with suppress(Missing):
        tools.append(Lief())
    return tuple(tools)
