"""One random graph, judged: what the loader does with it, what we say, and where they differ."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from elfaudit.api import resolve
from elfaudit.elf import read_elf
from elfaudit.findings import Resolution
from elfaudit.loader.environment import host_library_path

from .compare import answer_of, differences, traced_differences
from .graphs import Graph
from .loader import Answer, start, trace
from .opener import Opened, open_each

__all__ = ["disagreements"]

"""Whether ``resolve`` can be told what the program opened before."""


def disagreements(graph: Graph, here: Path, opener: Path | None) -> list[str] | None:
    """Where we and the loader differ about a graph that was put in ``here``.

    Args:
        graph: what is there.
        here: its directory, which is the current one too.
        opener: the program that opens the subject; None: the subject is a program itself.

    Returns:
        A line for each difference; None where there is no answer, as something before failed.
    """
    subject = here / graph.subject
    preload = [path.replace("{here}", str(here)) for path in graph.preload]
    paths = None if graph.library_path is None else graph.library_path.replace("{here}", str(here))
    surroundings: dict[str, Any] = {"preload": preload, "library_path": paths, "cwd": here}
    if opener is None:
        ours = _resolved(subject, "auto", surroundings, ())
        lists = bool(graph.parts[-1].needed)
        return _program(subject, answer_of(ours), surroundings, here, lists=lists)
    opens = [path.replace("{here}", str(here)) for path in graph.opens]
    every = [*opens, str(subject)]
    lazy = open_each(opener, every, **surroundings)
    if lazy.earlier or _crashed(lazy.answer):
        return None
    now = open_each(opener, every, now=True, **surroundings)
    ours = _resolved(subject, str(opener), surroundings, opens)
    found = _opened(lazy, now, answer_of(ours), here)
    if opens or "$" in f"{preload}{paths}" or read_elf(subject).is_program:
        return found
    # Nothing can be noticed of that program: it need not be named.
    ours = _resolved(subject, "auto", surroundings, ())
    lazy, now = _without(opener, lazy), _without(opener, now)
    return found + _opened(lazy, now, answer_of(ours), here)


def _without(opener: Path, opened: Opened) -> Opened:
    """What is told of all other objects."""
    every = opened.answer.providers.items()
    providers = {key: paths for key, paths in every if key[0] != str(opener)}
    return replace(opened, answer=replace(opened.answer, providers=providers))


def _resolved(
    subject: Path, host: str, surroundings: Mapping[str, Any], opens: list[str] | tuple[()]
) -> Resolution:
    before = os.getcwd()
    os.chdir(surroundings["cwd"])
    sequence = {"dlopen": tuple(opens)} if opens else {}
    try:
        return resolve(
            str(subject),
            host=host,
            preload=surroundings["preload"],
            library_path=host_library_path({"LD_LIBRARY_PATH": surroundings["library_path"] or ""}),
            **sequence,  # type: ignore[arg-type]
        )
    finally:
        os.chdir(before)


def _crashed(real: Answer) -> bool:
    """Whether the loader itself came to grief, as it does over filters in a ring: no answer."""
    return real.error is not None and real.error.startswith("signal ")


def _opened(lazy: Opened, now: Opened, ours: Answer, here: Path) -> list[str]:
    """The error is that of an ordinary process; every binding is told of one that binds at once."""
    real = lazy.answer
    if real.error is None and now.answer.error is None and not now.earlier:
        real = replace(real, providers=now.answer.providers)
        return differences(real, ours, cwd=here)
    if real.error is None:  # what a preload leaves open is only missed when it is bound at once
        ours = replace(ours, providers=_asked(ours, real, here))
    return differences(real, ours, cwd=here)


def _asked(ours: Answer, real: Answer, here: Path) -> dict[tuple[str, str, str | None], Any]:
    """Our bindings of the references that the loader has told about."""
    told = {(os.path.join(here, user), *rest) for user, *rest in real.providers}
    return {key: value for key, value in ours.providers.items() if key in told}


def _program(
    subject: Path, ours: Answer, surroundings: Mapping[str, Any], here: Path, *, lists: bool
) -> list[str] | None:
    started = start(subject, now=False, **surroundings)
    if _crashed(started):
        return None
    traced = trace(subject, program=True, **surroundings)
    found = [
        line
        for line in differences(replace(started, providers={}), replace(ours, providers={}))
        if line.startswith("error")
    ]
    # Of a program without DT_NEEDED it lists and relocates nothing, preloads neither.
    if traced.error is not None or not lists:
        return found
    return found + traced_differences(traced, ours, cwd=here)
