"""Starting a command with what a loader reads of its environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

__all__ = ["run_loaded"]


def run_loaded(
    command: Sequence[str],
    environment: Mapping[str, str],
    preload: Iterable[str | Path],
    library_path: str | None,
    cwd: Path | None,
    *,
    timeout: float,
    root: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """What a command did, whatever its status; with ``root`` that directory is ``/`` for it.

    Raises:
        subprocess.TimeoutExpired: it did not end.
    """
    names = ":".join(map(str, preload))
    paths = {"LD_PRELOAD": names or None, "LD_LIBRARY_PATH": library_path}
    return subprocess.run(
        command,
        env={**environment, **{key: value for key, value in paths.items() if value is not None}},
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=timeout,
        check=False,
        preexec_fn=None if root is None else lambda: os.chroot(root),
    )
