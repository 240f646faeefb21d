"""Both hash tables, judged by a search through the whole symbol table and by pyelftools."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from elftools.elf.hash import ELFHashTable, GNUHashTable
from hypothesis import example, given
from hypothesis import strategies as st

from elfaudit.elf import DynamicTag, ElfObject, read_elf
from elfaudit.elf.hashtable import gnu_hash, sysv_hash
from elfaudit.errors import ElfFormatError
from tests.conftest import PREBUILT

from . import judge
from .counting import CountingStream
from .forge import forge, strings_and_symbols, symbol, sysv_table

T = DynamicTag


@given(st.binary().filter(lambda name: 0 not in name))
def test_hashes_are_those_of_pyelftools(name: bytes) -> None:
    text = name.decode("latin-1")
    assert gnu_hash(text.encode()) == GNUHashTable.gnu_hash(text)
    assert sysv_hash(text.encode()) == ELFHashTable.elf_hash(text)


def _linear(elf: ElfObject, name: str) -> list[int]:
    return [s.index for s in elf.symbols if s.name == name and s.defined and s.binding]


@judge.every_fixture
def test_find_is_a_linear_search(prebuilt: Path, name: str) -> None:
    elf = read_elf(prebuilt / name)
    for wanted in {s.name for s in elf.symbols if s.name}:
        assert sorted(s.index for s in elf.symbols.find(wanted)) == _linear(elf, wanted)


@pytest.mark.parametrize(
    "name", [n for n in judge.fixture_names() if n.startswith(("machines", "linkers"))]
)
def test_each_of_the_two_tables_alone_finds_everything(prebuilt: Path, name: str) -> None:
    """The machines have both tables; glibc takes DT_GNU_HASH, so DT_HASH is tried without it."""
    data = bytearray((prebuilt / name).read_bytes())
    elf = read_elf(io.BytesIO(bytes(data)))
    assert elf.dynamic is not None
    tag = elf.dynamic.where(T.GNU_HASH)
    order, code = elf.layout.order, "q" if elf.layout.bits == 64 else "i"
    struct.pack_into(f"{order}{code}", data, tag, 0x6FFFFE00)
    other = read_elf(io.BytesIO(bytes(data)))
    assert [s.name for s in other.symbols] == [s.name for s in elf.symbols]
    for wanted in {s.name for s in elf.symbols.exports()}:
        assert sorted(s.index for s in other.symbols.find(wanted)) == _linear(elf, wanted)


_KINDS = [
    read_elf(PREBUILT / name)
    for name in (
        "shapes/libdemo-gnu.so",
        "shapes/libdemo-sysv.so",
        "machines/s390x/libdemo.so",
        "machines/i386/libdemo.so",
        "linkers/lld/libdemo.so",
        "shapes/libempty.so",
    )
]


@given(st.sampled_from(_KINDS), st.text(st.characters()))
@example(_KINDS[0], "\ud800")
def test_a_random_name_is_found_where_a_linear_search_finds_it(elf: ElfObject, name: str) -> None:
    assert [s.index for s in elf.symbols.find(name)] == _linear(elf, name)


def _opened(data: bytes) -> ElfObject:
    return read_elf(io.BytesIO(data), name="x.so")


def test_without_any_hash_table_the_whole_table_is_searched() -> None:
    elf = _opened(strings_and_symbols(b"\0a\0b\0", [symbol(1), symbol(3)]))
    assert [s.index for s in elf.symbols.find("b")] == [2]


def test_a_circular_chain_ends() -> None:
    table = sysv_table([1], [0, 2, 1])
    elf = _opened(strings_and_symbols(b"\0a\0", [symbol(1), symbol(1)], (T.HASH, table)))
    assert [s.index for s in elf.symbols.find("a")] == [1, 2]


def test_a_table_without_buckets_finds_nothing() -> None:
    elf = _opened(strings_and_symbols(b"\0a\0", [symbol(1)], (T.HASH, sysv_table([], [0, 0]))))
    assert len(elf.symbols) == 2
    assert elf.symbols.find("a") == []


@pytest.mark.parametrize(
    ("buckets", "chains", "field"),
    [(1, 2**32 - 1, "DT_HASH nchain"), (2**32 - 1, 1, "DT_HASH nbucket")],
)
def test_counts_of_dt_hash_past_the_file_are_refused(buckets: int, chains: int, field: str) -> None:
    table = struct.pack("<II", buckets, chains)
    elf = _opened(strings_and_symbols(b"\0a\0", [symbol(1)], (T.HASH, table)))
    with pytest.raises(ElfFormatError) as caught:
        _ = elf.symbols
    assert caught.value.field == field


def _gnu(
    *, buckets: list[int], first: int, bloom: list[int], chains: list[int], shift: int = 0
) -> bytes:
    head = struct.pack("<4I", len(buckets), first, len(bloom), shift)
    words = buckets + chains
    return head + struct.pack(f"<{len(bloom)}Q{len(words)}I", *bloom, *words)


ALL = 2**64 - 1


def test_a_bloom_filter_of_any_size_is_read_as_the_loader_reads_it() -> None:
    """It masks with size - 1, so of three words only the numbers 0 and 2 are ever looked at."""
    value = gnu_hash(b"a") | 1
    for bloom in ([ALL], [ALL, ALL, ALL]):
        table = _gnu(buckets=[1], first=1, bloom=bloom, chains=[value])
        elf = _opened(strings_and_symbols(b"\0a\0", [symbol(1)], (T.GNU_HASH, table)))
        assert [s.index for s in elf.symbols.find("a")] == [1]


@pytest.mark.parametrize("bloom", [[], [0], [0, 0, 0]])
def test_what_the_filter_denies_is_not_found(bloom: list[int]) -> None:
    table = _gnu(buckets=[1], first=1, bloom=bloom, chains=[gnu_hash(b"a") | 1])
    elf = _opened(strings_and_symbols(b"\0a\0", [symbol(1)], (T.GNU_HASH, table)))
    assert len(elf.symbols) == 2
    assert elf.symbols.find("a") == []


def test_a_bucket_in_front_of_the_first_hashed_symbol_is_empty() -> None:
    table = _gnu(buckets=[1], first=2, bloom=[ALL], chains=[1])
    elf = _opened(strings_and_symbols(b"\0a\0", [symbol(1)], (T.GNU_HASH, table)))
    assert elf.symbols.find("a") == []


@pytest.mark.parametrize("counts", [(2**32 - 1, 1, 1, 0), (1, 1, 2**32 - 1, 0)])
def test_counts_of_the_gnu_table_past_the_file_are_refused(counts: tuple[int, ...]) -> None:
    table = struct.pack("<4I", *counts) + bytes(64)
    elf = _opened(strings_and_symbols(b"\0a\0", [symbol(1)], (T.GNU_HASH, table)))
    with pytest.raises(ElfFormatError, match=r"DT_GNU_HASH (bloom_size|nbuckets) at offset"):
        _ = elf.symbols


@pytest.mark.parametrize("start", [10_000, 2**32 - 1])
def test_a_chain_without_end_is_refused(start: int) -> None:
    table = _gnu(buckets=[start], first=1, bloom=[ALL], chains=[])
    data = strings_and_symbols(b"\0a\0", [symbol(1)], (T.GNU_HASH, table))
    elf = _opened(data + bytes(60_000))
    with pytest.raises(ElfFormatError, match=r"the last chain does not end inside the file"):
        _ = elf.symbols


def test_a_chain_through_a_sparse_file_is_given_up() -> None:
    table = _gnu(buckets=[1000], first=1, bloom=[ALL], chains=[])
    data = strings_and_symbols(b"\0a\0", [symbol(1)], (T.GNU_HASH, table))
    elf = read_elf(CountingStream(data, gap=1 << 40))
    with pytest.raises(ElfFormatError, match=r"the last chain does not end inside the file"):
        _ = elf.symbols


def test_a_chain_that_is_longer_than_a_read_is_followed() -> None:
    count = 5000
    value = gnu_hash(b"a")
    chains = [value & ~1] * (count - 1) + [value | 1]
    table = _gnu(buckets=[1], first=1, bloom=[ALL], chains=chains)
    elf = _opened(strings_and_symbols(b"\0a\0", [symbol(1)] * count, (T.GNU_HASH, table)))
    assert [s.index for s in elf.symbols.find("a")] == list(range(1, count + 1))


def test_chain_without_end_in_front_of_the_last_bucket_stops_at_the_last_symbol() -> None:
    value = gnu_hash(b"a") & ~1
    table = _gnu(buckets=[1, 3], first=1, bloom=[ALL], chains=[value, value, value | 1])
    elf = _opened(strings_and_symbols(b"\0a\0", [symbol(1)] * 3, (T.GNU_HASH, table)))
    assert {s.index for s in elf.symbols.find("a")} <= {1, 2, 3}


def test_an_empty_gnu_table_leaves_the_count_to_the_next_table() -> None:
    """Nothing exported: only the relocations and the distance to what follows tell."""
    table = _gnu(buckets=[0], first=1, bloom=[0], chains=[])
    blobs = {
        "symbols": symbol(0, info=0, section=0) + symbol(1, section=0),
        "strings": b"\0a\0",
        "hash": table,
    }
    entries: list[tuple[int, int | str]] = [
        (T.STRTAB, "strings"),
        (T.STRSZ, 3),
        (T.SYMTAB, "symbols"),
        (T.GNU_HASH, "hash"),
    ]
    assert [s.name for s in _opened(forge(entries, blobs)).symbols.undefined()] == ["a"]
    versym = {"versym": bytes(4)} | blobs
    elf = _opened(forge([*entries, (T.VERSYM, "versym")], versym))
    assert len(elf.symbols) == 2
