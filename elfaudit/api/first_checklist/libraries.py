"""What each library, extension module and program is held to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from .draft import Draft
from .facts import OWN_NAMES, Exports, Hardening
from .next_names import escaped, next_directory, next_version, shown
from .survey import Code, CodeRole

__all__ = ["LibraryDrafts"]

_SMALLER = 0.5  # of the size now; other options of a compiler make less of a difference
_MOST_EXACT = 1000  # names of C: a table of more has what was linked in, and nobody promised
_MOST_NAMED = 12  # names that are each asked for
_FEWER = 0.95  # of so many, and of the names of C++, of which templates make as many as are used
_LONGEST = 500  # of a pattern, in letters
_SYMBOLS = ("symbol", "symbols")
_MOST_VERSIONS = 20
_RELINK = "link it with what it no longer lists, and repair the wheel again"


class LibraryDrafts:
    """The checks of one file, or of the few that have one name but for its version.

    Args:
        code: the file.
        common: how every library is hardened, which needs no lines of its own.
        releases: the versions of the distributions, which the next build has others of.

    Attributes:
        there: it is there, and not much smaller.
        own: what it is by itself.
        loading: that it loads.
    """

    def __init__(self, code: Code, common: Hardening, releases: Collection[str]) -> None:
        self._code, self._common, self._releases = code, common, releases
        self.there = (self._there(), *self._names_of_it())
        self.own = tuple(self._own())
        # What was copied into a wheel is often found by those who list it, and not by itself.
        alone = code.role is not CodeRole.COPIED
        self.loading = replace(self._draft("loads", "loads", {}), expected=alone)

    def _draft(
        self, kind: str, words: str, asked: Mapping[str, object], about: str = "", advice: str = ""
    ) -> Draft:
        code = self._code
        named = f"{_about(code)}-{about}" if about else _about(code)
        parameters = {"file": code.pattern, **asked}
        return Draft(
            kind, named, f"{shown(code.pattern)} {words}", parameters, advice, self.there[0]
        )

    def _there(self) -> Draft:
        code = self._code
        asked = {"path": code.pattern, "min_size": int(code.size * _SMALLER)}
        title = f"{shown(code.pattern)} is there, and at least half as large"
        return Draft("file", _about(code), title, asked)

    def _names_of_it(self) -> Iterator[Draft]:
        """The link by which others find it, which is no file of its own."""
        for file, elf in self._code.files:
            folder, name = posixpath.split(file.place)
            soname = elf.soname or name
            link = posixpath.join(folder, soname)
            if soname == name or "/" in soname or not file.source.is_link(link):
                continue
            if any(next_directory(part) != escaped(part) for part in folder.split("/")):
                continue  # a link is only looked for by its own path, which will be another
            title = f"{shown(self._code.pattern)} is found as {soname}, by which others list it"
            yield Draft("file", f"{soname}-link", title, {"path": escaped(link)})

    def _own(self) -> Iterator[Draft]:
        binding = self._code.binding
        if binding.needed:
            copied = any("*" in each for each in binding.needed)
            words = f"lists {_counted(len(binding.needed), 'library', 'libraries')}"
            yield self._draft("needed", words, {"has": list(binding.needed)},
                              advice=_RELINK if copied else "")  # fmt: skip
        if binding.soname is not None:
            words = "keeps the name by which others list it"
            yield self._draft("soname", words, {"is": binding.soname})
        if binding.runpath:
            words = "has its libraries searched for in the same places"
            yield self._draft("runpath", words, {"has": list(binding.runpath)})
        yield from self._hardening(binding.hardening)
        exports = self._code.exports()
        if exports is not None:
            yield from self._exports(exports)
        if self._code.targets:
            count = _counted(len(self._code.targets), "kind of GPU", "kinds of GPU")
            asked = {"has": sorted(self._code.targets)}
            yield self._draft("gpu-targets", f"has code for {count}", asked)

    def _hardening(self, found: Hardening) -> Iterator[Draft]:
        """What it has beyond what every library has."""
        program = self._code.role is CodeRole.PROGRAM
        common = {} if program else self._common.parameters
        asked = {key: value for key, value in found.parameters.items() if common.get(key) != value}
        if not program:
            asked.pop("pie", None)
        if asked:
            yield self._draft("hardening", f"is hardened: {_hardened(asked)}", asked)

    def _exports(self, found: Exports) -> Iterator[Draft]:
        code = self._code
        module = f"PyInit_{code.name.partition('.')[0]}"
        if module in found.plain and code.role is CodeRole.EXTENSION:
            words = "has the function by which Python imports it"
            yield self._draft("symbols", words, {"match": f"^{re.escape(module)}$"})
        if code.role is not CodeRole.LIBRARY:
            return  # who else uses it was built with it
        some = list(found.versions.items())[-_MOST_VERSIONS:]
        for name, names in some:
            version = next_version(name, self._releases)
            if names:
                words = f"has {_counted(len(names), *_SYMBOLS)} of version {shown(version)}"
                others = [version.removesuffix("*")] if name in found.made else []
                asked = {"version": version, **_amount(names, others)}
                yield self._draft("symbols", words, asked, name)
        said = frozenset[str]().union(*(names for _, names in some))
        yield from self._of_any_version(found, said)

    def _of_any_version(self, found: Exports, said: frozenset[str]) -> Iterator[Draft]:
        """What it offers beside what the lines for its versions say."""
        if found.plain - said:
            others = [*sorted(found.made)[:_MOST_VERSIONS], *(["_Z"] if found.mangled else [])]
            asked = _amount(found.plain, others)
            words = f"exports at least {_counted(_least(found.plain), *_SYMBOLS)}"
            yield self._draft("symbols", words + (" of C" if found.mangled else ""), asked)
        if found.mangled - said:
            least = -int(-len(found.mangled) * _FEWER // 1)
            words = f"exports at least {_counted(least, *_SYMBOLS)} of C++"
            yield self._draft("symbols", words, {"match": OWN_NAMES, "min": least}, "cxx")


def _least(names: Collection[str]) -> int:
    """How many names the next build must have: a few less, if there are many."""
    return len(names) if len(names) <= _MOST_EXACT else int(len(names) * _FEWER)


def _amount(names: Collection[str], others: Iterable[str]) -> dict[str, object]:
    """What is asked of symbols: the names, if they are few, else how many there are.

    Args:
        names: those there are now.
        others: names that do not count; what ends in ``_`` or ``_Z`` as a beginning.
    """
    pattern = "|".join(map(re.escape, sorted(names)[:_MOST_NAMED]))
    if len(names) <= _MOST_NAMED and pattern.isprintable() and len(pattern) <= _LONGEST:
        return {"match": f"^({pattern})$", "min": len(names)}
    left = [re.escape(each) + ("" if each.endswith(("_", "_Z")) else "$") for each in others]
    without = {"match": f"^(?!{'|'.join(left)})"} if left else {}
    return {**without, "min": _least(names)}


def _about(code: Code) -> str:
    """The file in a word: its name without what changes from build to build."""
    name = posixpath.basename(code.pattern)
    return re.sub(r"\.so\b.*$", "", re.sub(r"[\[\]]|[-.]?\*|\.cpython-.*$|\.abi3.*$", "", name))


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _hardened(asked: dict[str, object]) -> str:
    words = {"now": "bound at once", "stack": "no executable stack", "pie": "loaded anywhere"}
    parts = [f"{asked['relro']} RELRO"] if "relro" in asked else []
    return ", ".join((*parts, *(text for key, text in words.items() if key in asked)))
