"""By which names a library is found, and what becomes of those who ask by one that is gone.

A program lists the SONAME of what it was linked with, and of a library without SONAME the file name
that the linker found it by (``elf_link_add_object_symbols``, GNU ld ``bfd/elflink.c``). The loader
looks for a file, or link, of just that name in each directory.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence

from .changed_modules import is_public
from .changes import Aspect, BuildChange, ChangedItem, ChangeSeverity, some
from .stems import Role, library_stem

__all__ = ["asked_names", "changed_links", "imported_by_others", "removed", "renamed"]

_BREAKING, _NOTABLE, _HARMLESS = (
    ChangeSeverity.BREAKING,
    ChangeSeverity.NOTABLE,
    ChangeSeverity.HARMLESS,
)
_INTERPRETER = re.compile(
    r"\.(?P<tag>cpython-\d+[a-z]*|abi3|pypy\d+-pp\d+|[a-z]+py-?\d+)[^./]*\.so$"
)
_ANY_PYTHON = ("abi3", None)


def asked_names(paths: Sequence[str], soname: str | None, role: Role) -> tuple[str, ...]:
    """The file names by which others ask for a file; none where nobody can.

    Args:
        paths: all that lead to it, its own first.
        soname: its SONAME.
        role: who may use it.
    """
    names = tuple(dict.fromkeys(map(posixpath.basename, paths)))
    if role is Role.PROGRAM:
        return names
    if role is not Role.LIBRARY:
        return ()  # of an extension see `imported_by_others`; what is private is built anew
    if soname is not None:
        return (soname,) if soname in names else ()
    return tuple(name for name in names[1:] if ".so" in name) or names[:1]


def imported_by_others(old: str, new: str) -> bool:
    """Whether an extension's new name is one that the interpreter of the old name passes over.

    Source: ``_PyImport_DynLoadFiletab`` (``Python/dynload_shlib.c``).
    """
    was, now = (_INTERPRETER.search(path) for path in (old, new))
    tags = [match["tag"] if match else None for match in (was, now)]
    return tags[0] != tags[1] and tags[1] not in _ANY_PYTHON


def renamed(
    old: str, new: str, role: Role, lost: Sequence[str] = (), *, same_python: bool = True
) -> BuildChange:
    """The change of an ELF file that has another path.

    Args:
        old: where it was.
        new: where it is.
        role: who may use it.
        lost: the names by which others asked for it, and by which nothing is found any more.
        same_python: whether both builds are meant for the same interpreters.

    Harmless as long as it is the same library in the same directory by another version or hash, and
    is found by the names that others know.
    """
    same_place = posixpath.dirname(old) == posixpath.dirname(new)
    same = same_place and library_stem(old) == library_stem(new)
    severity = _HARMLESS if same or role is Role.PRIVATE else _NOTABLE
    text = f"was {old}"
    if lost:
        severity, text = _BREAKING, f"{text}: nothing is found as {some(lost)} any more"
    elif role is Role.EXTENSION and same_python and imported_by_others(old, new):
        severity = _BREAKING
        text = f"{text}: the interpreter that imported that one does not import this"
    return BuildChange(Aspect.FILE_RENAMED, severity, text, tuple(map(ChangedItem, lost)), old, new)


def removed(
    path: str, role: Role, *, loadable: bool = True, found: str | None = None
) -> BuildChange:
    """The change of an ELF file that is gone.

    Args:
        path: where it was.
        role: who may use it.
        loadable: whether a loader takes it: no object file, no file of debugging information.
        found: what the names by which others asked for it lead to now, if they lead to something.
    """
    text, severity = "is not there any more", _BREAKING
    if not loadable:
        severity = _HARMLESS
    elif found is not None:
        severity, text = _NOTABLE, f"{text}; who asks for it by name gets {found}"
    elif role is Role.PRIVATE or (role is Role.EXTENSION and _is_private_module(path)):
        severity = _NOTABLE
    return BuildChange(Aspect.FILE_REMOVED, severity, text, (), path, None)


def _is_private_module(path: str) -> bool:
    return not is_public(path.rpartition("::")[2].partition(".")[0].replace("/", "."))


def changed_links(
    lost: Iterable[tuple[str, str, bool]],
    dangling: Iterable[tuple[str, str, bool]],
    retargeted: Iterable[tuple[str, str, str]],
    gained: Iterable[str],
) -> Iterator[BuildChange]:
    """The changes of the symbolic links by which libraries are found.

    Args:
        lost: links that are gone: the path, what it led to, whether others ask for that name.
        dangling: those that are there and lead nowhere, likewise.
        retargeted: those that lead to another file: the path, that file before and now; of the
            files themselves more is told, so this alone is harmless.
        gained: the paths of new ones.
    """
    for rows, text in ((lost, "no longer has {}"), (dangling, "has {} that leads nowhere now")):
        told = sorted(rows)
        for grave in (True, False):
            links = [(link, end) for link, end, asked in told if asked is grave]
            if links:
                why = ", by which programs ask for it" if grave else ""
                items = tuple(ChangedItem(link, None, end) for link, end in links)
                names = _links([link for link, _ in links])
                yield BuildChange(
                    Aspect.LINK_REMOVED, _BREAKING if grave else _NOTABLE,
                    text.format(names) + why, items,
                )  # fmt: skip
    items = tuple(ChangedItem(link, None, was, now) for link, was, now in sorted(retargeted))
    if items:
        text = "; ".join(
            f"{each.name} leads to {each.new} (before {each.old})" for each in items[:3]
        )
        more = f" and {len(items) - 3:,} links more" if len(items) > 3 else ""
        yield BuildChange(Aspect.LINK_CHANGED, _NOTABLE, f"the link {text}{more}", items)
    come = sorted(gained)
    if come:
        items = tuple(map(ChangedItem, come))
        yield BuildChange(Aspect.LINK_ADDED, _HARMLESS, f"has {_links(come)}", items)


def _links(names: list[str]) -> str:
    return f"the link {names[0]}" if len(names) == 1 else f"{len(names):,} links: {some(names)}"
