"""The name to list: the SONAME of what is there, and not a name that only a linker knows."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ..elf import ElfObject
from ..errors import PatchError
from ..findings import Provider
from ..patch.edits import AddNeeded, PatchEdit, ReplaceNeeded

__all__ = ["Named", "rightly_named"]


class _Libraries(Protocol):
    def names_of_stem(self, name: str, model: ElfObject) -> Iterable[Provider]: ...


@dataclass(frozen=True, slots=True)
class Named:
    """Edits with the names that exist, and what there is to say of them."""

    edits: tuple[PatchEdit, ...]
    notes: tuple[str, ...] = ()


def rightly_named(
    name: str,
    edits: Sequence[PatchEdit],
    model: ElfObject,
    libraries: _Libraries,
    *,
    force: bool = False,
) -> Named:
    """Put the names right that some edits list.

    Args:
        name: the file, as the user names it.
        edits: what is to be done.
        model: the facts of the file.
        libraries: those of the root and of the providers.
        force: whether a name counts whatever is there.

    Returns:
        The edits, each with a SONAME that is there; a name of which nothing is there is taken as it
        is, and a note says so.

    Raises:
        PatchError: a library is there by another name only.
    """
    right: list[PatchEdit] = []
    notes: list[str] = []
    for edit in edits:
        match edit:
            case AddNeeded(wanted):
                found, note = _right(name, wanted, model, libraries, force=force)
                right.append(replace(edit, name=found))
            case ReplaceNeeded(_, wanted):
                found, note = _right(name, wanted, model, libraries, force=force)
                right.append(replace(edit, new=found))
            case _:
                right.append(edit)
                continue
        notes += [note] if note else []
    return Named(tuple(right), tuple(notes))


def _right(
    name: str, wanted: str, model: ElfObject, libraries: _Libraries, *, force: bool
) -> tuple[str, str | None]:
    """The name to list for one that was given, and what there is to say."""
    if "/" in wanted:
        return wanted, f"{wanted} is a path: no search is done for it"
    near = list(libraries.names_of_stem(wanted, model))
    if any(each.elf.soname in (wanted, None) and _base(each) == wanted for each in near):
        return wanted, None
    if any(each.elf.soname == wanted for each in near):
        return wanted, None
    linked = next((each for each in near if _base(each) == wanted), None)
    if linked is not None:
        beside = any(_base(each) == linked.soname for each in near)
        if force or not beside:
            return wanted, f"{wanted} is a name of {linked.path}, whose SONAME is {linked.soname}"
        return linked.soname, f"{wanted} is {linked.soname} by its SONAME, which is listed"
    if near and not force:
        there = next((each for each in near if _base(each) == each.soname), near[0])
        raise PatchError(
            name,
            f"{wanted} is nowhere, but {there.soname} is ({there.path}): say {there.soname}, or "
            f"insist with --force",
        )
    said = "is not there by that name" if near else "is nowhere near: that the name is right"
    return wanted, f"{wanted} {said}{', as was insisted' if near else ' could not be checked'}"


def _base(provider: Provider) -> str:
    return posixpath.basename(provider.path)
