"""What surrounds a file that is resolved, as the user gives it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..errors import RequestError
from ..loader import Dlopen, Libc, Mode

__all__ = ["Surroundings", "parse_dlopen"]

_WORDS = re.compile("[a-z]+(?:,[a-z]+)*")

_MODES = {
    "global": Mode.GLOBAL,
    "local": Mode.LOCAL,
    "lazy": Mode.LAZY,
    "now": Mode.LOCAL,
    "deepbind": Mode.DEEPBIND,
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The inputs of :func:`~elfaudit.api.resolving.resolve` beside the target.

    Attributes:
        root: the directory that is ``/`` for the process; None: only the targets exist.
        with_: directories, wheels or files that could supply what is missing.
        host: ``auto``, ``none`` (a library is taken for the program) or the path of the program.
        preload: ``LD_PRELOAD``: names or paths.
        library_path: ``LD_LIBRARY_PATH``: directories.
        dlopens: what the process opens before the target, in order.
        libc: whose rules apply; None: those of what is looked at.
        mode: how the target is opened.
        opens: whether a target that is a program is handed to ``dlopen``, too, and not started.
    """

    root: str | None = "/"
    with_: tuple[str, ...] = ()
    host: str = "auto"
    preload: tuple[str, ...] = ()
    library_path: tuple[str, ...] = ()
    dlopens: tuple[Dlopen, ...] = field(default=())
    libc: Libc | None = None
    mode: Mode = Mode.LOCAL
    opens: bool = False

    @classmethod
    def of(
        cls,
        *,
        root: str | None,
        with_: Iterable[str],
        host: str,
        preload: Iterable[str],
        library_path: Iterable[str],
        dlopen: Iterable[str],
        libc: str,
        mode: Mode = Mode.LOCAL,
    ) -> Surroundings:
        """From the arguments of the verbs.

        Raises:
            RequestError: ``libc`` is none that is known.
        """
        names = [each.value for each in Libc]
        if libc != "auto" and libc not in names:
            raise RequestError(f"{libc}: no such C library; say auto, {' or '.join(names)}")
        return cls(
            root,
            _listed(with_),
            host,
            _listed(preload),
            _listed(library_path),
            tuple(map(parse_dlopen, _listed(dlopen))),
            None if libc == "auto" else Libc(libc),
            mode,
        )


def _listed(names: Iterable[str]) -> tuple[str, ...]:
    """Several names, or the one that was given where a list was expected."""
    return (names,) if isinstance(names, str) else tuple(names)


def parse_dlopen(text: str) -> Dlopen:
    """``PATH`` or ``PATH:global,lazy,deepbind``: what to open, and how.

    What follows the last colon counts as the mode if it is made of words, and there is no file of
    the whole name.

    Raises:
        RequestError: there is no such mode.
    """
    name, colon, words = text.rpartition(":")
    modes = [_MODES.get(word) for word in words.split(",")]
    if not colon or not name or not _WORDS.fullmatch(words) or os.path.exists(text):
        return Dlopen(text)
    if None in modes:
        known = ", ".join(_MODES)
        raise RequestError(f"{text}: {words} is no way to open a library; say one of {known}")
    mode = Mode.LOCAL
    for each in modes:
        mode |= each or Mode.LOCAL
    return Dlopen(name, mode)
