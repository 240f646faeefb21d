"""A process, built up call by call: for scripts that ask what comes after what."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import RequestError
from ..findings import Resolution
from ..loader import Mode
from .resolving import resolve

__all__ = ["Process"]

_WORDS = {Mode.GLOBAL: "global", Mode.LAZY: "lazy", Mode.DEEPBIND: "deepbind"}


class Process:
    """A program and what it has opened so far; nothing of it runs.

    ::

        process = elfaudit.Process("/usr/bin/python3", root="/srv/image")
        process.dlopen("/opt/torch/lib/libtorch_global_deps.so", Mode.GLOBAL)
        result = process.dlopen("/opt/torch/_C.cpython-312-x86_64-linux-gnu.so")

    Args:
        program: path of the main program; ``auto``: for Python extensions an interpreter of the
            root.
        root: as for :func:`~elfaudit.resolve`, like the next four.
        with_: likewise.
        preload: likewise.
        library_path: likewise.
        libc: likewise.

    Attributes:
        opened: what was opened with success, in order, as :func:`~elfaudit.resolve` takes it.
    """

    def __init__(
        self,
        program: str = "auto",
        *,
        root: str | None = "/",
        with_: Iterable[str] = (),
        preload: Iterable[str] = (),
        library_path: Iterable[str] = (),
        libc: str = "auto",
    ) -> None:
        if program == "none":
            raise RequestError("a process has a program; name one, or say auto")
        self._program = program
        self._root = root
        self._with = tuple(with_)
        self._preload = tuple(preload)
        self._library_path = tuple(library_path)
        self._libc = libc
        self.opened: tuple[str, ...] = ()

    def dlopen(self, target: str, mode: Mode = Mode.LOCAL) -> Resolution:
        """Open a file as the process is now.

        Args:
            target: a path, or ``archive::member``.
            mode: RTLD_GLOBAL, RTLD_LAZY, RTLD_DEEPBIND; otherwise RTLD_NOW and RTLD_LOCAL.

        Returns:
            What becomes of it. Unless it FAILS, it is in the process from now on.

        Raises:
            as :func:`~elfaudit.resolve` does.

        Source: ``dl_open_worker`` (glibc ``elf/dl-open.c``).
        """
        words = ",".join(word for flag, word in _WORDS.items() if flag in mode)
        spelled = f"{target}:{words}" if words else target
        result = resolve(
            target,
            root=self._root,
            with_=self._with,
            host=self._program,
            preload=self._preload,
            library_path=self._library_path,
            dlopen=self.opened,
            libc=self._libc,
            mode=mode,
        )
        if result.error is None:
            self.opened = (*self.opened, spelled)
        return result
