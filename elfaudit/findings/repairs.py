"""How to get a provider to whoever needs it, as commands to copy."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Hashable, Iterator

from ..elf import ElfObject
from ..loader import LinkMapEntry
from ..sources import HOST
from .case import Case
from .model import Applicability, Edit, Fix
from .providers import Provider

__all__ = ["add_needed", "link_option", "provider_fixes", "target_of"]

_LIBRARY = re.compile(r"^lib(?P<stem>.+?)\.so(?:\..*)?$")


def provider_fixes(case: Case, entry: LinkMapEntry, provider: Provider) -> Iterator[Fix]:
    """Ways to make ``provider`` part of the scope of ``entry``, the most lasting one first."""
    yield add_needed(case, entry, provider.soname, provider.path, provider.member.identity)
    on_disk = "::" not in provider.path
    if entry.elf is None or provider.soname not in entry.elf.needed:
        option = link_option(provider.soname)
        directory = f"-L{shlex.quote(posixpath.dirname(provider.path))} " if on_disk else ""
        yield Fix(
            f"relink {_base(entry)} with {option}",
            f"-Wl,--no-as-needed {directory}{option}",
            (),
            Applicability.DISPLAY_ONLY,
        )
    if on_disk:
        yield Fix(
            "or, without changing a file, preload it",
            f"export LD_PRELOAD={shlex.quote(provider.path)}",
            (),
            Applicability.DISPLAY_ONLY,
        )


def target_of(entry: LinkMapEntry) -> str:
    """The file of an entry as ``patch-needed`` takes it, quoted for a shell."""
    container, separator, member = entry.display.partition("::")
    if separator and container.endswith((".whl", ".zip")):
        return f"{shlex.quote(container)} --member {shlex.quote(member)}"
    return shlex.quote(entry.display.replace("::", "/"))


def link_option(soname: str) -> str:
    """The linker option for a library: ``-lz``, or ``-l:NAME`` where it is no ``lib*.so``."""
    match = _LIBRARY.match(soname)
    return f"-l{match['stem']}" if match else f"-l:{soname}"


def add_needed(case: Case, entry: LinkMapEntry, soname: str, path: str, identity: Hashable) -> Fix:
    """List the library at ``path`` in DT_NEEDED; with a RUNPATH if the loader would not find it.

    If it is listed already, the RUNPATH is all there is to add.
    """
    if entry.elf is not None and soname in entry.elf.needed:
        if case.finds(soname, entry) is not None:
            return _in_front(entry, soname, path)
        return _lead_to(entry, entry.elf, soname, path)
    title = f"add {soname} to DT_NEEDED of {_base(entry)}"
    command = f"elfaudit patch-needed {target_of(entry)} --add {shlex.quote(soname)}"
    edit = Edit("add-needed", entry.display, soname)
    if case.finds(soname, entry) == identity:
        return Fix(title, command, (edit,), Applicability.SAFE)
    directory = _runpath_for(entry, posixpath.dirname(path))
    if directory is None:
        title = f"{title}, once {_holder(path)} is installed where the loader looks"
        return Fix(title, command, (edit,), Applicability.DISPLAY_ONLY)
    return Fix(
        f"{title}, and {directory} to its RUNPATH: the loader does not look there",
        f"{command} --add-runpath {shlex.quote(directory)}",
        (edit, Edit("add-runpath", entry.display, directory)),
        Applicability.UNSAFE,
    )


def _in_front(entry: LinkMapEntry, soname: str, path: str) -> Fix:
    """Let the loader find a library before another one of its name, which it finds now."""
    directory = _runpath_for(entry, posixpath.dirname(path))
    where = directory if directory is not None else _holder(path)
    title = f"let {_base(entry)} find {soname} in {where} first: another one of that name is loaded"
    return Fix(title, None, (), Applicability.DISPLAY_ONLY)


def _lead_to(entry: LinkMapEntry, elf: ElfObject, soname: str, path: str) -> Fix:
    """Let the loader find a library that is listed and lies where it does not look."""
    directory = _runpath_for(entry, posixpath.dirname(path))
    runpath = elf.dynamic.runpath if elf.dynamic else None
    if directory is None or directory in (runpath or "").split(":"):
        where = "where the loader looks" if directory is None else f"where {directory} leads"
        return Fix(f"install {_holder(path)} {where}", None, (), Applicability.DISPLAY_ONLY)
    return Fix(
        f"add {directory} to the RUNPATH of {_base(entry)}: it lists {soname} already",
        f"elfaudit patch-needed {target_of(entry)} --add-runpath {shlex.quote(directory)}",
        (Edit("add-runpath", entry.display, directory),),
        Applicability.UNSAFE,
    )


def _holder(path: str) -> str:
    """The wheel, or the file of this machine, that a library is in."""
    return path.removeprefix(HOST) if path.startswith(HOST) else path.partition("::")[0]


def _base(entry: LinkMapEntry) -> str:
    return posixpath.basename(entry.path or entry.name)


def _runpath_for(entry: LinkMapEntry, theirs: str) -> str | None:
    """The directory as a RUNPATH has to name it; None where it has no path until it is installed.

    It is relative to ``$ORIGIN`` where both files are of one archive or of one tree laid over the
    root, or of two wheels: those are installed into the same ``site-packages``.
    """
    if "::" not in theirs:
        return theirs
    mount, _, directory = theirs.partition("::")
    ours, separator, place = posixpath.dirname(entry.path or "").partition("::")
    if not separator or (mount != ours and not (mount.endswith(".whl") and ours.endswith(".whl"))):
        return None
    relative = posixpath.relpath(directory or "/", place or "/")
    return "$ORIGIN" if relative == "." else f"$ORIGIN/{relative}"
