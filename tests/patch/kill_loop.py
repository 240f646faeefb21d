"""Patch a file again and again in processes that are killed at random; run by ``test_killed.py``.

    python -m tests.patch.kill_loop FILE TIMES SEED

Prints how often the file was found in each of its two states; a third one ends it with an error.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
import time
from collections import Counter
from itertools import count
from pathlib import Path

from elfaudit import AddNeeded, apply_patch, plan_patch, undo_patch

_LONGEST = 0.06  # seconds; a patch of a small file takes about a third of that


def _patch_for_ever(path: str) -> None:
    for turn in count():
        patched = b"libadded.so.1\0" in Path(path).read_bytes()
        if patched:
            apply_patch(undo_patch(path))
        else:
            apply_patch(plan_patch(path, [AddNeeded("libadded.so.1")], check=False))
        if turn > 10_000:  # the parent is gone
            os._exit(1)


def _killed(path: str, after: float) -> None:
    child = os.fork()
    if child == 0:
        try:
            _patch_for_ever(path)
        finally:
            os._exit(2)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise SystemExit(f"the patching process ended by itself: {status}")


def main() -> None:
    """Kill, look, and go on."""
    path, times, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(seed)
    old = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    apply_patch(plan_patch(path, [AddNeeded("libadded.so.1")], check=False))
    new = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    found: Counter[str] = Counter()
    for _ in range(times):
        _killed(path, chance.uniform(0, _LONGEST))
        found[hashlib.sha256(Path(path).read_bytes()).hexdigest()] += 1
    if not set(found) <= {old, new}:
        raise SystemExit(f"neither the old file nor the new one: {found}")
    sys.stdout.write(f"{found[old]} {found[new]}\n")


if __name__ == "__main__":
    main()
