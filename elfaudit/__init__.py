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
        BuildReport,
        Passed,
        PatchPlan,
        PatchResult,
        Process,
        Side,
        apply_patch,
        count_symbols,
        diff,
        find_providers,
        json_schema,
        list_symbols,
        open_elf,
        plan_fixes,
        plan_patch,
        resolve,
        resolve_all,
        shipped_checklists,
        undo_patch,
        verify,
    )
    from .elf import (
        DlopenNote,
        Dynamic,
        DynamicTag,
        ElfObject,
        FileType,
        Flags,
        Flags1,
        Header,
        Kind,
        Layout,
        Note,
        Relocations,
        Segment,
        SegmentType,
        Stack,
        Symbol,
        SymbolBinding,
        SymbolTable,
        SymbolType,
        SymbolVisibility,
        Tls,
        VersionDefinition,
        VersionName,
        VersionNeed,
        Versions,
        read_elf,
    )
    from .elf.cxxname import demangle, in_namespace, namespace_of
    from .errors import (
        ChecklistError,
        ElfAuditError,
        ElfFormatError,
        NotElfError,
        NotLoadableError,
        PatchError,
        PlaceholderError,
        RequestError,
        SourceError,
        WheelError,
    )
    from .findings import (
        Applicability,
        Aspect,
        BuildChange,
        ChangedItem,
        ChangeSeverity,
        Difference,
        Edit,
        Effects,
        FileDifference,
        FilePatch,
        FileStatus,
        Finding,
        Fix,
        OtherFile,
        OtherFiles,
        Provider,
        Rebound,
        Resolution,
        Severity,
        Verdict,
    )
    from .findings.checks import Check, CheckStatus, Condition, Judgement, Runner
    from .loader import (
        Binding,
        Bindings,
        Dlopen,
        Libc,
        LinkMap,
        LinkMapEntry,
        Mode,
        Opening,
        Origin,
        Outcome,
        SearchStep,
        Status,
    )
    from .patch.edits import (
        AddNeeded,
        AddRunpath,
        ClearExecstack,
        PatchEdit,
        RemoveNeeded,
        RemoveRunpath,
        ReplaceNeeded,
        RpathToRunpath,
        SetRunpath,
        SetSoname,
    )
    from .sources import Member
    from .stream import ByteStream

    __version__: str

__all__ = [
    "AddNeeded",
    "AddRunpath",
    "Applicability",
    "Aspect",
    "Binding",
    "Bindings",
    "BuildChange",
    "BuildReport",
    "ByteStream",
    "ChangeSeverity",
    "ChangedItem",
    "Check",
    "CheckStatus",
    "ChecklistError",
    "ClearExecstack",
    "Condition",
    "Difference",
    "Dlopen",
    "DlopenNote",
    "Dynamic",
    "DynamicTag",
    "Edit",
    "Effects",
    "ElfAuditError",
    "ElfFormatError",
    "ElfObject",
    "FileDifference",
    "FilePatch",
    "FileStatus",
    "FileType",
    "Finding",
    "Fix",
    "Flags",
    "Flags1",
    "Header",
    "Judgement",
    "Kind",
    "Layout",
    "Libc",
    "LinkMap",
    "LinkMapEntry",
    "Member",
    "Mode",
    "NotElfError",
    "NotLoadableError",
    "Note",
    "Opening",
    "Origin",
    "OtherFile",
    "OtherFiles",
    "Outcome",
    "Passed",
    "PatchEdit",
    "PatchError",
    "PatchPlan",
    "PatchResult",
    "PlaceholderError",
    "Process",
    "Provider",
    "Rebound",
    "Relocations",
    "RemoveNeeded",
    "RemoveRunpath",
    "ReplaceNeeded",
    "RequestError",
    "Resolution",
    "RpathToRunpath",
    "Runner",
    "SearchStep",
    "Segment",
    "SegmentType",
    "SetRunpath",
    "SetSoname",
    "Severity",
    "Side",
    "SourceError",
    "Stack",
    "Status",
    "Symbol",
    "SymbolBinding",
    "SymbolTable",
    "SymbolType",
    "SymbolVisibility",
    "Tls",
    "Verdict",
    "VersionDefinition",
    "VersionName",
    "VersionNeed",
    "Versions",
    "WheelError",
    "__version__",
    "apply_patch",
    "count_symbols",
    "demangle",
    "diff",
    "find_providers",
    "in_namespace",
    "json_schema",
    "list_symbols",
    "namespace_of",
    "open_elf",
    "plan_fixes",
    "plan_patch",
    "read_elf",
    "resolve",
    "resolve_all",
    "shipped_checklists",
    "undo_patch",
    "verify",
]

# Where they are, in the order of what it costs to look.
_HOMES = (
    ".errors", ".api", ".stream", ".elf", ".elf.cxxname", ".loader", ".findings",
    ".findings.checks", ".patch.edits", ".sources",
)  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = _version() if name == "__version__" else _found(name)
    globals()[name] = value
    return value


def _found(name: str) -> object:
    homes = (import_module(home, __name__) for home in _HOMES)
    found: object = next(getattr(home, name) for home in homes if hasattr(home, name))
    return found


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  15 ms

    try:
        return version(__name__)
    except PackageNotFoundError:  # run from a checkout
        return "0+uninstalled"


def __dir__() -> list[str]:
    return __all__
