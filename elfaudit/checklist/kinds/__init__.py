"""All kinds of check, by name; each is a module whose docstring is its page of documentation."""

from __future__ import annotations

from collections.abc import Mapping

from ..kind import Kind
from . import (
    count,
    device,
    file,
    flavor,
    glibc,
    gpu_targets,
    hardening,
    imports,
    loads,
    log,
    module_inventory,
    needed,
    record,
    requires,
    run,
    runpath,
    soname,
    string,
    symbols,
    value,
)

__all__ = ["KINDS"]

_MODULES = (
    loads, needed, symbols, string, soname, runpath, hardening, glibc, gpu_targets, record, imports,
    module_inventory, value, flavor, requires, count, file, log, device, run,
)  # fmt: skip

KINDS: Mapping[str, Kind] = {module.KIND.name: module.KIND for module in _MODULES}
