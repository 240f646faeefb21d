"""Two files of two builds compared: everything that changed, the worst first."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from ..elf import ElfObject
from ..errors import ElfAuditError
from .changed_exports import changed_exports
from .changed_facts import changed_facts
from .changed_references import changed_references, changed_versions
from .changes import Aspect, BuildChange, ChangedItem, ChangeSeverity, some
from .stems import Role, library_stem, role_of

__all__ = ["added", "changed_link", "compare_files", "removed", "renamed", "unreadable", "worst"]


def compare_files(
    old: ElfObject, new: ElfObject, old_path: str, path: str
) -> Iterator[BuildChange]:
    """What changed of one ELF file, its verdict and its name aside.

    Where the symbols or versions of a side are damaged this is told with the reason, and the rest
    is still compared.

    Args:
        old: the file as it was.
        new: the file as it is.
        old_path: where it was in its build.
        path: where it is in its build.
    """
    role = role_of(old_path, program=old.is_program)
    yield from changed_facts(old, new, role, path)
    problem = unreadable(_damage(old), _damage(new))
    if problem is not None:
        yield problem
        return
    if not _same_symbols(old, new):
        yield from changed_exports(old, new, role)
        yield from changed_references(old, new)
    yield from changed_versions(old, new, role)


def _same_symbols(old: ElfObject, new: ElfObject) -> bool:
    """Whether the tables are the same whatever the addresses are; asked before names are made."""
    return (
        old.layout == new.layout
        and old.symbols.has_rows_of(new.symbols)
        and old.symbols.names == new.symbols.names
        and old.versions == new.versions
        and old.symbols.version_indices == new.symbols.version_indices
    )


def _damage(elf: ElfObject) -> str | None:
    """Decodes what is compared; why that cannot be done, or None."""
    try:
        _ = elf.symbols.names, elf.symbols.export_indices, elf.isa_needed
        damage = elf.versions.damage
    except ElfAuditError as error:
        return str(error)
    return None if damage is None else str(damage)


def unreadable(old: str | None, new: str | None) -> BuildChange | None:
    """The change of what cannot be read on one side or both, by the reasons; None where neither."""
    if old is None and new is None:
        return None
    if new is None:
        severity, text = ChangeSeverity.NOTABLE, f"could not be read before: {old}"
    elif old is None:
        severity, text = ChangeSeverity.BREAKING, f"cannot be read now: {new}"
    else:
        severity, text = ChangeSeverity.NOTABLE, f"cannot be read, before or now: {new}"
    return BuildChange(Aspect.UNREADABLE, severity, text, (), old, new)


def removed(path: str, *, program: bool = False) -> BuildChange:
    """The change of an ELF file that is gone."""
    private = role_of(path, program=program) is Role.PRIVATE
    severity = ChangeSeverity.NOTABLE if private else ChangeSeverity.BREAKING
    return BuildChange(Aspect.FILE_REMOVED, severity, "is not there any more", (), path, None)


def added(path: str) -> BuildChange:
    """The change of an ELF file that is new."""
    return BuildChange(Aspect.FILE_ADDED, ChangeSeverity.HARMLESS, "is new", (), None, path)


def renamed(old: str, new: str) -> BuildChange:
    """The change of an ELF file that has another path.

    Harmless as long as it is the same library in the same directory by another version or hash: who
    uses it asks for its SONAME, of which more is told where it is another one.
    """
    same_place = posixpath.dirname(old) == posixpath.dirname(new)
    same = same_place and library_stem(old) == library_stem(new)
    private = all(role_of(path, program=False) is Role.PRIVATE for path in (old, new))
    severity = ChangeSeverity.HARMLESS if same or private else ChangeSeverity.NOTABLE
    return BuildChange(Aspect.FILE_RENAMED, severity, f"was {old}", (), old, new)


def changed_link(old: list[str], new: list[str]) -> Iterator[BuildChange]:
    """The changes of the symbolic links to libraries: by one of them a library may be found."""
    for aspect, severity, names, text in (
        (Aspect.LINK_REMOVED, ChangeSeverity.NOTABLE, old, "no longer has"),
        (Aspect.LINK_ADDED, ChangeSeverity.HARMLESS, new, "has"),
    ):
        if names:
            links = "the link" if len(names) == 1 else f"{len(names):,} links:"
            items = tuple(map(ChangedItem, names))
            yield BuildChange(aspect, severity, f"{text} {links} {some(names)}", items)


def worst(changes: Iterator[BuildChange]) -> tuple[BuildChange, ...]:
    """All of them, the worst first; of the same severity in the order in which they come."""
    return tuple(sorted(changes, key=lambda change: change.rank))
