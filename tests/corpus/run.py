"""Rebuild the corpus, put it through all tools, tell what became of it.

``python -m tests.corpus.run [--quick] [--only REGEX] [--real DIR] [--write docs/patching.md]``
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import asdict
from pathlib import Path

from .build import Recipe, Workshop, recipes
from .cycle import Verdict, judged
from .judge import Judge, Sample
from .machines import Missing
from .real import real_samples
from .table import failures, tables
from .tools import Ours, tools

__all__ = ["main"]

_BEGIN, _END = "<!-- corpus -->", "<!-- /corpus -->"
_LONGEST = 900  # seconds for one file with all tools
_QUICK = 5  # one file of so many


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; 1 if ours failed anywhere."""
    options = _options(arguments)
    started = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="corpus-"))
    try:
        verdicts, skipped = _all(directory, options)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    told = tables(verdicts, skipped)
    wrong = failures(verdicts, Ours.name)
    end = f"{len(verdicts)} files, {time.monotonic() - started:.0f} s; failures of ours:"
    sys.stdout.write("\n".join((told, "", end, *(wrong or ["none"]), "")))
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in verdicts], indent=1))
    if options.write:
        write_table(options.write, told)
    return bool(wrong)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"one file of {_QUICK}")
    parser.add_argument("--only", default="", help="files whose name matches this")
    parser.add_argument("--group", choices=("built", "real"), help="only these")
    parser.add_argument("--real", type=Path, action="append", default=[], help="with wheels")
    parser.add_argument("--ours", action="store_true", help="no other tools")
    parser.add_argument("--write", type=Path, help="a page to put the tables into")
    parser.add_argument("--json", type=Path, help="a file for everything")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    cache = os.environ.get("ELFAUDIT_REAL_CACHE")
    options.real += [Path(cache)] if cache else []
    return options


def _all(
    directory: Path, options: argparse.Namespace
) -> tuple[list[Verdict], list[tuple[str, str]]]:
    """Every file through every tool: (what became of it), (name, why) of those left out."""
    work = list(_work(directory, options))
    if options.quick:
        work = work[::_QUICK]
    verdicts: list[Verdict] = []
    skipped: list[tuple[str, str]] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        tasks = [(each, pool.submit(_one, each, directory, options.ours)) for each in work]
        for number, (each, task) in enumerate(tasks, 1):
            try:
                verdict = task.result(timeout=_LONGEST)
            except Late:
                verdict = "took too long"
            if isinstance(verdict, Verdict):
                verdicts.append(verdict)
                for line in failures([verdict], Ours.name):
                    sys.stderr.write(f"{line}\n")
            else:
                skipped.append((each.name, verdict))
            if number % 25 == 0:
                sys.stderr.write(f"{number} of {len(work)}\n")
    return verdicts, skipped


def _work(directory: Path, options: argparse.Namespace) -> Iterator[Recipe | Sample]:
    wanted = re.compile(options.only)
    if options.group != "real":
        yield from (each for each in recipes() if wanted.search(each.name))
    if options.group != "built":
        found = real_samples(options.real, directory / "real")
        yield from (each for each in found if wanted.search(each.name))


def _one(item: Recipe | Sample, directory: Path, ours: bool) -> Verdict | str:
    """One file through all tools; why not, if it cannot be had."""
    workshop = Workshop(directory)
    place = Path(tempfile.mkdtemp(prefix="file-", dir=directory))
    try:
        sample = _sample(item, workshop, place)
        sample.machine.runner()
        judge = Judge(sample, workshop.opener(sample.machine), workshop.markers(sample.machine))
        return judged(sample, judge, [Ours()] if ours else tools(), place)
    except Missing as error:
        return str(error)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _sample(item: Recipe | Sample, workshop: Workshop, place: Path) -> Sample:
    """A file in a place of its own: the tools must not find what it is beside of."""
    target = place / "file.so"
    if isinstance(item, Sample):
        target = place / item.path.name
        shutil.copyfile(item.path, target)
        return Sample(
            item.name, item.machine, target, item.kind, item.directories, item.before, item.group
        )
    workshop.build(item, target)
    return Sample(item.name, item.machine, target, item.variant.kind)


def write_table(page: Path, told: str) -> None:
    """Put the tables between the marks of a page."""
    text = page.read_text()
    head, mark, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not mark or not end:
        raise SystemExit(f"{page} has no {_BEGIN} … {_END}")
    page.write_text(f"{head}{_BEGIN}\n{told}\n{_END}{tail}")


if __name__ == "__main__":
    sys.exit(main())
