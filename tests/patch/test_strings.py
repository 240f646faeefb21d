"""The string table: found again by a search of the bytes, never written over."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from elfaudit.patch.strings import placed

_TEXT = st.binary(min_size=1, max_size=6).map(lambda raw: raw.replace(b"\0", b"x"))


def test_a_text_that_is_there_is_found() -> None:
    assert placed(b"\0abc\0de\0", [b"abc", b"de"]) == ({b"abc": 1, b"de": 5}, b"")


def test_the_end_of_a_text_is_one() -> None:
    table = b"\0librocm_smi64.so\0"
    assert placed(table, [b"rocm_smi64.so", b"o"]) == ({b"rocm_smi64.so": 4, b"o": 16}, b"")
    # but not its beginning, nor its middle
    offsets, appended = placed(table, [b"librocm"])
    assert (offsets, appended) == ({b"librocm": len(table)}, b"librocm\0")


def test_new_texts_share_their_ends_too() -> None:
    offsets, appended = placed(b"\0", [b"c", b"abc", b"bc", b"abc"])
    assert appended == b"abc\0"
    assert offsets == {b"abc": 1, b"bc": 2, b"c": 3}


def test_a_table_without_an_end_gets_one() -> None:
    offsets, appended = placed(b"\0ab", [b"ab"])
    table = b"\0ab" + appended
    assert table[offsets[b"ab"] :].startswith(b"ab\0")
    assert table.startswith(b"\0ab\0")


def test_nothing_is_wanted() -> None:
    assert placed(b"\0ab", []) == ({}, b"")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(_TEXT, max_size=6), st.lists(_TEXT, max_size=8))
def test_all_are_there_afterwards(before: list[bytes], texts: list[bytes]) -> None:
    table = b"\0" + b"".join(text + b"\0" for text in before)
    offsets, appended = placed(table, texts)
    whole = table + appended
    assert set(offsets) == set(texts)
    for text, offset in offsets.items():
        assert whole[offset : whole.index(b"\0", offset)] == text
    assert bool(appended) == any(text + b"\0" not in table for text in texts)
    assert len(appended) <= sum(len(text) + 1 for text in set(texts))
