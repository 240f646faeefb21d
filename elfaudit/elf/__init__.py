"""Bytes to facts: one module per concept of the ELF specification."""

from .dynamic import Dynamic, DynamicTag, Flags, Flags1
from .header import FileType, Header, Segment, SegmentType, parse_segments
from .layout import Layout
from .notes import DlopenNote, Note
from .object import ElfObject, Kind, Stack, Tls, map_elf, read_elf
from .relocations import Relocations
from .symbols import Symbol, SymbolBinding, SymbolTable, SymbolType, SymbolVisibility
from .versions import VersionDefinition, VersionName, VersionNeed, Versions

__all__ = [
    "DlopenNote",
    "Dynamic",
    "DynamicTag",
    "ElfObject",
    "FileType",
    "Flags",
    "Flags1",
    "Header",
    "Kind",
    "Layout",
    "Note",
    "Relocations",
    "Segment",
    "SegmentType",
    "Stack",
    "Symbol",
    "SymbolBinding",
    "SymbolTable",
    "SymbolType",
    "SymbolVisibility",
    "Tls",
    "VersionDefinition",
    "VersionName",
    "VersionNeed",
    "Versions",
    "map_elf",
    "parse_segments",
    "read_elf",
]
