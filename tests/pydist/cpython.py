"""What CPython really imports: packages are written to a directory, each import has a process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from elfaudit.pydist import Modules, Presence, ask

from .files import MemoryFiles

_SCRIPT = """
import json, os, sys
sys.dont_write_bytecode = True
sys.path[:0] = json.loads(sys.argv[1])
for module, name in json.load(sys.stdin):
    ends = os.pipe()
    child = os.fork()
    if not child:
        try:
            exec(f"from {module} import {name}" if name else f"import {module}", {})
            os.write(ends[1], b"1")
        finally:
            os._exit(0)
    os.close(ends[1])
    print(json.dumps(os.read(ends[0], 1) == b"1"), flush=True)
    os.waitpid(child, 0)
"""


def written(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files below a directory."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def imported(roots: Sequence[Path], asked: Sequence[tuple[str, str | None]]) -> list[bool]:
    """Whether each name can be imported in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", _SCRIPT, json.dumps(list(map(str, roots)))],
        input=json.dumps(list(asked)), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


def judged(folder: Path, files: Mapping[str, str | bytes], told: str, prefix: str = "") -> None:
    """Hold answers to what is told of them, and that to CPython.

    Args:
        folder: where the files are written.
        files: of the package; what is below ``r1/`` and ``r2/`` is in two import roots.
        told: ``present: m:a m; absent: m:b; undecided: m:c``.
        prefix: of each of these.
    """
    roots = [root for root in ("r1", "r2") if any(name.startswith(f"{root}/") for name in files)]
    written(folder, files)
    wanted: dict[tuple[str, str | None], Presence] = {}
    for part in told.split("; "):
        status, _, names = part.partition(": ")
        for name in names.split():
            module, _, of_it = f"{prefix}{name}".partition(":")
            wanted[module, of_it or None] = Presence(status)
    found = Modules([
        MemoryFiles({
            name.removeprefix(f"{root}/"): text
            for name, text in files.items() if name.startswith(root)
        })
        for root in roots or [""]
    ])  # fmt: skip
    really = imported([folder / root for root in roots or [""]], list(wanted))
    for asked, is_there in zip(wanted, really, strict=True):
        answer = ask(found, *asked)
        assert answer.status is wanted[asked], (asked, answer)
        if answer.status is not Presence.UNDECIDED:
            assert (answer.status is Presence.PRESENT) is is_there, asked
