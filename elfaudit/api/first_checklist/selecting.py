"""Which files of a large build are worth lines of their own."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence

from .survey import Code, CodeRole

__all__ = ["selected"]

_SMALL = 40  # files: all of them are
_EACH = 15  # of a large build, by each measure


def selected(code: Sequence[Code]) -> tuple[Code, ...]:
    """All files of a small build; of a large one those that matter, in the order of the build.

    These are the largest, the libraries that most other files list, those that others may link
    with, and the extension modules nearest to the top of a package.
    """
    if len(code) <= _SMALL:
        return tuple(code)
    chosen = {each.pattern for some in _measures(code) for each in some}
    return tuple(each for each in code if each.pattern in chosen)


def _measures(code: Sequence[Code]) -> Iterator[Sequence[Code]]:
    yield sorted(code, key=lambda each: -each.size)[:_EACH]
    listed = Counter(name for each in code for _, elf in each.files for name in elf.needed)

    def uses(each: Code) -> int:
        names = {elf.soname or posixpath.basename(file.path) for file, elf in each.files}
        return sum(listed[name] for name in names)

    yield sorted((each for each in code if uses(each)), key=lambda each: -uses(each))[:_EACH]
    public = [each for each in code if each.role is CodeRole.LIBRARY]
    yield sorted(public, key=lambda each: (each.path.count("/"), -each.size))[:_EACH]
    extensions = [each for each in code if each.role is CodeRole.EXTENSION]
    yield sorted(extensions, key=lambda each: (each.path.count("/"), -each.size))[:_EACH]
