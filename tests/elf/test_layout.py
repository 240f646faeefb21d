"""Class and byte order, judged by :mod:`struct`."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elfaudit.elf import Layout


@given(
    st.lists(st.integers(0, 0xFFFF)),
    st.sampled_from([(2, "H"), (4, "I"), (8, "Q")]),
    st.booleans(),
    st.binary(max_size=1),
)
def test_words_are_what_struct_unpacks(
    values: list[int], kind: tuple[int, str], little: bool, rest: bytes
) -> None:
    size, code = kind
    raw = struct.pack(f"{'<' if little else '>'}{len(values)}{code}", *values)
    assert list(Layout(64, little=little).words(raw + rest, size)) == values


@pytest.mark.parametrize(("bits", "sizes"), [(32, (36, 32, 8, 16, 4)), (64, (48, 56, 16, 24, 8))])
def test_structures_have_the_sizes_of_the_specification(bits: int, sizes: tuple[int, ...]) -> None:
    layout = Layout(bits, little=True)
    assert sizes == (
        layout.header.size,
        layout.segment.size,
        layout.dynamic.size,
        layout.symbol_size,
        layout.word_size,
    )
