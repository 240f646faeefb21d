"""elfaudit: what the dynamic loader would do with ELF files, without running a byte of them.

::

    import elfaudit

    result = elfaudit.resolve("libtorch_hip.so")
    result.verdict              # Verdict.FAILS
    result.error                # 'libtorch_hip.so: undefined symbol: rsmi_init'
    result.findings[0].fixes    # ways to repair it, the best one first

The names below are all there is to rely on. Each is imported when it is first used, so importing
the package costs nothing; every error is an :class:`ElfAuditError`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api import (
        Passed,
        Side,
        count_symbols,
        find_providers,
        json_schema,
        list_symbols,
        open_elf,
        resolve,
        resolve_all,
    )
    from .elf import ElfObject, Kind, Symbol, SymbolTable, read_elf
    from .elf.cxxname import demangle, in_namespace, namespace_of
    from .errors import (
        ElfAuditError,
        ElfFormatError,
        NotElfError,
        NotLoadableError,
        RequestError,
        SourceError,
        WheelError,
    )
    from .findings import (
        Applicability,
        Edit,
        Finding,
        Fix,
        Provider,
        Resolution,
        Severity,
        Verdict,
    )
    from .loader import (
        Binding,
        Bindings,
        LinkMap,
        LinkMapEntry,
        Origin,
        Outcome,
        SearchStep,
        Status,
    )

    __version__: str

__all__ = [
    "Applicability",
    "Binding",
    "Bindings",
    "Edit",
    "ElfAuditError",
    "ElfFormatError",
    "ElfObject",
    "Finding",
    "Fix",
    "Kind",
    "LinkMap",
    "LinkMapEntry",
    "NotElfError",
    "NotLoadableError",
    "Origin",
    "Outcome",
    "Passed",
    "Provider",
    "RequestError",
    "Resolution",
    "SearchStep",
    "Severity",
    "Side",
    "SourceError",
    "Status",
    "Symbol",
    "SymbolTable",
    "Verdict",
    "WheelError",
    "__version__",
    "count_symbols",
    "demangle",
    "find_providers",
    "in_namespace",
    "json_schema",
    "list_symbols",
    "namespace_of",
    "open_elf",
    "read_elf",
    "resolve",
    "resolve_all",
]

_HOMES = {
    ".api": (
        "Passed", "Side", "count_symbols", "find_providers", "json_schema", "list_symbols",
        "open_elf", "resolve", "resolve_all",
    ),
    ".elf": ("ElfObject", "Kind", "Symbol", "SymbolTable", "read_elf"),
    ".elf.cxxname": ("demangle", "in_namespace", "namespace_of"),
    ".errors": (
        "ElfAuditError", "ElfFormatError", "NotElfError", "NotLoadableError", "RequestError",
        "SourceError", "WheelError",
    ),
    ".findings": (
        "Applicability", "Edit", "Finding", "Fix", "Provider", "Resolution", "Severity", "Verdict",
    ),
    ".loader": (
        "Binding", "Bindings", "LinkMap", "LinkMapEntry", "Origin", "Outcome", "SearchStep",
        "Status",
    ),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = _version()
    elif name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name], __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  15 ms

    try:
        return version(__name__)
    except PackageNotFoundError:  # run from a checkout
        return "0+uninstalled"


def __dir__() -> list[str]:
    return __all__
