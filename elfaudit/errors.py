"""Everything elfaudit can raise, in one tree.

::

    ElfAuditError
    ├── SourceError            bytes that could not be reached or read
    │   └── WheelError         … because the archive or the member is not sound
    ├── ElfFormatError         bytes that are not what the ELF specification asks for
    │   └── NotElfError        … from the first four bytes on
    │       └── PlaceholderError   an empty file, or a Git LFS pointer
    ├── PatchError             a change that cannot be made, or not safely
    ├── ChecklistError         a checklist that is none (key_path says where)
    ├── NotLoadableError       sound ELF that no dynamic loader takes (ET_REL, static, core)
    └── RequestError           the question itself cannot be answered (bad regex, unknown host)

A missing library or an undefined symbol is never an exception: it is a finding. Exceptions are for
what could not be read or done. ``str(error)`` is one sentence that names the file first.
"""

from __future__ import annotations

__all__ = [
    "ChecklistError",
    "ElfAuditError",
    "ElfFormatError",
    "NotElfError",
    "NotLoadableError",
    "PatchError",
    "PlaceholderError",
    "RequestError",
    "SourceError",
    "WheelError",
]


class ElfAuditError(Exception):
    """Base of every exception that elfaudit raises on purpose."""


class SourceError(ElfAuditError):
    """Bytes could not be reached or read.

    Args:
        name: the file, directory or ``archive::member`` as the user would name it.
        problem: what is wrong with it, a clause without the name.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem

    def __reduce__(self) -> tuple[type[SourceError], tuple[str, str]]:
        return type(self), (self.name, self.problem)


class WheelError(SourceError):
    """A wheel (zip archive), or one member of it, is not sound."""


class ElfFormatError(ElfAuditError):
    """The bytes contradict the ELF specification.

    Args:
        name: the file as the user would name it.
        offset: byte offset in the file of the field that is wrong.
        field: the field, in the specification's words (``e_phoff``, ``DT_STRTAB``).
        problem: what is wrong with it.
    """

    def __init__(self, name: str, offset: int, field: str, problem: str) -> None:
        super().__init__(f"{name}: {field} at offset {offset:#x}: {problem}")
        self.name = name
        self.offset = offset
        self.field = field
        self.problem = problem

    def __reduce__(self) -> tuple[type[ElfFormatError], tuple[str, int, str, str]]:
        return type(self), (self.name, self.offset, self.field, self.problem)


class NotElfError(ElfFormatError):
    """The file does not begin with the ELF magic, ``7f 45 4c 46``."""


class PlaceholderError(NotElfError):
    """The file only stands for another one: it is empty, or a Git LFS pointer."""


class ChecklistError(ElfAuditError):
    """A checklist cannot be used as it is written.

    Args:
        name: the file as the user would name it; empty where it is one check of many.
        key_path: where in it (``check[3].match``); empty for the file as a whole.
        problem: what is wrong, a clause.
    """

    def __init__(self, name: str, key_path: str, problem: str) -> None:
        super().__init__(": ".join(part for part in (name, key_path, problem) if part))
        self.name = name
        self.key_path = key_path
        self.problem = problem

    def __reduce__(self) -> tuple[type[ChecklistError], tuple[str, str, str]]:
        return type(self), (self.name, self.key_path, self.problem)


class NotLoadableError(ElfAuditError):
    """An ELF file that a dynamic loader does not take, asked for where one is needed.

    Args:
        name: the file as the user would name it.
        problem: why no loader takes it.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem

    def __reduce__(self) -> tuple[type[NotLoadableError], tuple[str, str]]:
        return type(self), (self.name, self.problem)


class PatchError(ElfAuditError):
    """A change of a file that cannot be made, or not safely; nothing of the file has changed.

    Args:
        name: the file as the user would name it.
        problem: why not, a clause without the name.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem

    def __reduce__(self) -> tuple[type[PatchError], tuple[str, str]]:
        return type(self), (self.name, self.problem)


class RequestError(ElfAuditError):
    """The question cannot be answered as asked (an invalid pattern, no such interpreter, …)."""
