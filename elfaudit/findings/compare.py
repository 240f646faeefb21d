"""Two files of two builds compared: everything that changed, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..elf import ElfObject, Kind
from ..errors import ElfAuditError
from .changed_exports import changed_exports
from .changed_facts import changed_facts
from .changed_references import changed_references, changed_versions
from .changes import Aspect, BuildChange, ChangedItem, ChangeSeverity, counted
from .stems import role_of

__all__ = [
    "added",
    "changed_mode",
    "compare_files",
    "replaced_by_script",
    "unreadable",
    "unreadable_files",
    "worst",
]


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


def added(path: str) -> BuildChange:
    """The change of an ELF file that is new."""
    return BuildChange(Aspect.FILE_ADDED, ChangeSeverity.HARMLESS, "is new", (), None, path)


def replaced_by_script(kind: Kind) -> BuildChange:
    """The change of a program in whose place there is a script."""
    text = f"is now a script (before a {kind.value})"
    return BuildChange(Aspect.KIND, ChangeSeverity.NOTABLE, text, (), kind.value, "script")


def changed_mode(scripts: Sequence[str] = ()) -> BuildChange:
    """The change of a program that lost its executable bit, or of scripts somewhere in a build."""
    items = tuple(map(ChangedItem, scripts))
    text = "may not be run any more: its executable bit is gone"
    if len(scripts) == 1:
        text = f"has {scripts[0]}, which {text}"
    elif scripts:
        count = counted(len(scripts), "script")
        text = f"has {count} that may not be run any more: their executable bits are gone"
    return BuildChange(Aspect.EXECUTABLE_BIT, ChangeSeverity.BREAKING, text, items)


def unreadable_files(
    files: Sequence[tuple[str, tuple[str | None, str | None]]],
) -> Iterator[BuildChange]:
    """The changes of files of which one side cannot be read, with the reasons before and now."""
    for now in (True, False):
        found = [(path, why) for path, why in files if (why[1] is not None) is now]
        if len(found) == 1:
            one = unreadable(*found[0][1])
            yield from () if one is None else (one,)
        elif found:
            severity = ChangeSeverity.BREAKING if now else ChangeSeverity.NOTABLE
            count = counted(len(found), "file")
            text = f"has {count} that " + (
                "cannot be read now" if now else "could not be read before"
            )
            items = tuple(ChangedItem(path, None, None, why[now]) for path, why in found)
            yield BuildChange(Aspect.UNREADABLE, severity, text, items)


def worst(changes: Iterator[BuildChange]) -> tuple[BuildChange, ...]:
    """All of them, the worst first; of the same severity in the order in which they come."""
    return tuple(sorted(changes, key=lambda change: change.rank))
