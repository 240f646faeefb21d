"""The devices of this machine that a program on the GPU opens, and who may.

## What it asks

`paths`: the devices; by default `/dev/kfd` and `/dev/dri`. The user that runs elfaudit must be able
to open them. `gpu`: a target (`gfx1151`) that one of the GPUs must have, by the kernel's topology.

```toml
[[check]]
kind = "device"
gpu = "${gpu_target}"
```

## Why

"Unable to open /dev/kfd - Permission denied" in a container is a matter of groups: those of the
host count by their numbers, and the number of `render` is another one on every host, so
`--group-add render` names the image's group. That a container sees no GPU is not a fault of the
image.

## How it is decided

By the files in `/dev` and `/sys/class/kfd` of this machine; nothing is opened but those of the
topology. It says nothing of an image or a wheel: it is skipped unless what is audited is this
machine's own file system.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence

from ...findings.checks import Check, Judgement
from ..build import Build
from ..kind import NAME, TEXTS, Kind, erred, failed, passed, skipped, words

__all__ = ["KIND"]

_TOPOLOGY = "/sys/class/kfd/kfd/topology/nodes/*/properties"


def _judge(check: Check, build: Build) -> Judgement:
    if not build.machine.is_this:
        return skipped(check, f"{build.label} is not this machine: whether a container gets its "
                       f"devices is decided where it runs ({_flags()})")  # fmt: skip
    paths = words(check, "paths") or ("/dev/kfd", "/dev/dri")
    try:
        return _opened(check, paths)
    except OSError as error:
        return erred(check, f"{error.filename or paths[0]} cannot be looked at: {error.strerror}")


def _opened(check: Check, paths: tuple[str, ...]) -> Judgement:
    """Whether the devices can be opened.

    Raises:
        OSError: something of them is gone, or out of reach.
    """
    missing = [path for path in paths if not os.path.exists(path)]
    if missing:
        return failed(
            check, f"there is no {', '.join(missing)} on this machine", (),
            "on the host: modprobe amdgpu\n"
            f"in a container, as it is started on the host: {_flags()}",
        )  # fmt: skip
    closed = [
        node for path in paths for node in _nodes(path) if not os.access(node, os.R_OK | os.W_OK)
    ]
    if closed:
        groups = sorted({str(os.stat(node).st_gid) for node in closed})
        return failed(
            check,
            f"this user may not open {', '.join(closed)}",
            [f"{node} is of group {os.stat(node).st_gid}" for node in closed],
            f"usermod -a -G {groups[0]} USER; for a container: {_flags(groups)}",
        )
    wanted = check.parameters.get("gpu")
    if wanted is not None:
        found = _targets()
        if wanted not in found:
            return failed(check, f"no GPU here is {wanted}: {', '.join(found) or 'none known'}")
    return passed(check, f"{', '.join(paths)} can be opened", (f"for a container: {_flags()}",))


def _flags(groups: Sequence[str] = ("$(stat -c %g /dev/kfd)",)) -> str:
    added = " ".join(f"--group-add {each}" for each in groups)
    return f"docker run --device=/dev/kfd --device=/dev/dri {added} IMAGE"


def _nodes(path: str) -> list[str]:
    """The character devices at or below a path."""
    if os.path.isdir(path):
        with os.scandir(path) as entries:
            nodes = [entry for entry in entries if entry.name.startswith("renderD")]
        return sorted(each.path for each in nodes if stat.S_ISCHR(each.stat().st_mode))
    return [path]


def _targets() -> list[str]:
    """The targets of the GPUs: ``gfx_target_version 110501`` is gfx1151."""
    found: set[str] = set()
    for path in glob.glob(_TOPOLOGY):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                rows = dict(line.split(None, 1) for line in file if len(line.split(None, 1)) == 2)
        except OSError:
            continue
        number = rows.get("gfx_target_version", "0").strip()
        if number.isdigit() and int(number):
            major, rest = divmod(int(number), 10000)
            minor, step = divmod(rest, 100)
            found.add(f"gfx{major}{minor:x}{step:x}")
    return sorted(found)


KIND = Kind("device", __doc__, _judge, {"paths": TEXTS, "gpu": NAME})
