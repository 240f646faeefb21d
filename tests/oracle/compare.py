"""Our answer in the form of the real loader's, and the two side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.elf import read_elf
from elfaudit.findings import Resolution
from elfaudit.loader import Status
from elfaudit.loader.environment import host_library_path

from .loader import Answer, Key, dlopen, is_loader

__all__ = [
    "Pair",
    "agree",
    "answer_of",
    "differences",
    "differing_bindings",
    "judge",
    "traced_differences",
]

_ALLOCATOR = ("malloc", "calloc", "realloc", "free")


def answer_of(resolution: Resolution) -> Answer:
    """What we say, in the words of the judge."""
    link_map = resolution.link_map
    program = link_map.program
    objects = tuple(
        entry.path
        for entry in link_map.entries
        if entry.path and entry is not program and not is_loader(entry.path)
    )
    providers: dict[Key, frozenset[str]] = {}
    undefined: set[tuple[str, str]] = set()
    for binding in resolution.bindings:
        user = binding.reference.path or ""
        if binding.status is Status.BOUND:
            assert binding.provider is not None
            key = (user, binding.name, binding.version)
            providers[key] = providers.get(key, frozenset()) | {binding.provider.path or ""}
        elif binding.status is not Status.WEAK_ABSENT:
            undefined.add((user, binding.name))
    missing = tuple(entry.name for entry in link_map.missing)
    dynamics = [entry.elf.dynamic for entry in link_map.entries if entry.elf is not None]
    return Answer(
        objects,
        resolution.error,
        {key: max(each) for key, each in providers.items()},
        _tried(resolution),
        frozenset(undefined),
        missing,
        providers,
        frozenset(name for each in dynamics if each for name in each.auxiliaries),
    )


def judge(
    host: Path,
    subject: Path,
    *,
    preload: Iterable[str | Path] = (),
    library_path: str | None = None,
    cwd: Path | None = None,
) -> tuple[Answer, Resolution]:
    """The real answer to ``dlopen`` and ours, which must agree in every respect.

    A host of which nothing can be noticed need not be named to us.
    """
    preloads = tuple(map(str, preload))
    real = dlopen(host, subject, preload=preloads, library_path=library_path, cwd=cwd)
    before = os.getcwd()
    os.chdir(cwd or before)
    paths = host_library_path({"LD_LIBRARY_PATH": library_path or ""})
    plain = _is_plain(host) and not any("$" in each for each in (*preloads, *paths))
    try:
        resolution = resolve(str(subject), host=str(host), preload=preloads, library_path=paths)
        agree(real, resolution, cwd=cwd)
        if plain:
            supposed = resolve(str(subject), preload=preloads, library_path=paths)
            own = {key: paths for key, paths in real.providers.items() if key[0] != str(host)}
            agree(replace(real, providers=own), supposed, cwd=cwd)
    finally:
        os.chdir(before)
    return real, resolution


def _is_plain(host: Path) -> bool:
    """Whether a program needs the C library, and nothing can be noticed of it."""
    elf = read_elf(host)
    dynamic = elf.dynamic
    paths = dynamic is not None and (dynamic.rpath is not None or dynamic.runpath is not None)
    return elf.needed == ("libc.so.6",) and not paths


def agree(real: Answer, resolution: Resolution, *, cwd: Path | None = None) -> None:
    """Fail with what differs."""
    found = differences(real, answer_of(resolution), cwd=cwd)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def differences(real: Answer, ours: Answer, *, cwd: Path | None = None) -> list[str]:
    """Everything in which two answers differ: load order, error, providers.

    Where the loader gave up, it has told no order; what it had bound until then must be ours too.
    """
    found = []
    if real.error != ours.error:
        found.append(f"error: real {real.error!r}, ours {ours.error!r}")
    if real.error is None:
        objects = tuple(_absolute(path, cwd) for path in real.objects)
        if objects != ours.objects:
            found.append(f"objects: real {objects}, ours {ours.objects}")
    found += [
        f"binding {key}: real {pair[0]}, ours {pair[1]}"
        for key, pair in differing_bindings(real, ours, cwd=cwd).items()
        if real.error is None or pair[0] is not None
    ]
    return found


def traced_differences(real: Answer, ours: Answer, *, cwd: Path | None = None) -> list[str]:
    """The same for a trace, which goes on where a start ends and tells what is missing.

    With a library missing it reads no versions: what it binds then is not what a start would bind.
    An auxiliary filtee that is not there it tells as well, which a start does without.
    """
    ours = replace(ours, error=None)
    if real.missing:
        real, ours = replace(real, providers={}), replace(ours, providers={})
    found = differences(real, ours, cwd=cwd)
    needless = ours.optional - set(ours.missing)
    if set(real.missing) - needless != set(ours.missing):
        found.append(f"missing: real {real.missing}, ours {ours.missing}")
    undefined = {(_absolute(user, cwd), name) for user, name in real.undefined}
    if undefined != ours.undefined:
        found.append(f"undefined: real {sorted(undefined)}, ours {sorted(ours.undefined)}")
    return found


Pair = tuple[str | None, str | None]


def differing_bindings(real: Answer, ours: Answer, *, cwd: Path | None = None) -> dict[Key, Pair]:
    """(real, our) provider of each reference that the two bind differently; several are joined."""
    theirs = {
        (_absolute(user, cwd), name, version): {_absolute(each, cwd) for each in providers}
        for (user, name, version), providers in real.providers.items()
    }
    found: dict[Key, Pair] = {}
    for key in sorted(theirs.keys() | ours.providers.keys(), key=str):
        user, name, _ = key
        pair = theirs.get(key), ours.providers.get(key)
        # The loader relocates itself before it can tell, and looks these four up for itself.
        known = pair[1] is None and name in _ALLOCATOR
        if pair[0] != pair[1] and not is_loader(user) and not known:
            first, second = (" + ".join(sorted(each)) if each else None for each in pair)
            found[key] = first, second
    return found


def _absolute(path: str, cwd: Path | None) -> str:
    """The loader keeps the paths of an empty path element relative; ours are all absolute."""
    return path if path.startswith("/") else os.path.join(cwd or os.getcwd(), path)


def _tried(resolution: Resolution) -> tuple[str, ...]:
    entries = resolution.link_map.entries
    return tuple(step.path for entry in entries for step in entry.steps)
