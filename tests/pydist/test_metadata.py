"""METADATA and WHEEL read by hand, judged by Python's own parser of e-mail."""

from __future__ import annotations

import time
from email.parser import HeaderParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elfaudit.pydist import Metadata, WheelInfo, read_metadata, read_wheel_info
from elfaudit.pydist.headers import read_headers

_TEXT = """\
Metadata-Version: 2.1
Name: demo
Version: 1.0
Requires-Python: >=3.9
Requires-Dist: numpy (>=1.21)
requires-dist: click ; extra == 'cli'
Provides-Extra: cli
Author: somebody
 and others

Name: not a header
"""


def test_the_headers_are_told_and_nothing_of_the_description() -> None:
    assert read_metadata(_TEXT) == Metadata(
        "demo", "1.0", ("numpy (>=1.21)", "click ; extra == 'cli'"), ">=3.9", ("cli",)
    )


def test_a_line_that_begins_with_a_blank_belongs_to_the_one_before() -> None:
    parsed = HeaderParser().parsestr(_TEXT)
    ours = dict(read_headers(_TEXT))
    assert ours["author"].split() == str(parsed["Author"]).split()


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[A-Za-z][A-Za-z-]{0,20}", fullmatch=True),
            st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
        ),
        max_size=20,
    )
)
def test_headers_are_those_that_pythons_parser_finds(rows: list[tuple[str, str]]) -> None:
    text = "".join(f"{name}: {value}\n" for name, value in rows) + "\nDescription: no\n"
    theirs = [(name.lower(), str(value)) for name, value in HeaderParser().parsestr(text).items()]
    assert list(read_headers(text)) == theirs


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    read_metadata(text)
    read_wheel_info(text)


def test_a_long_description_costs_nothing() -> None:
    start = time.perf_counter()
    assert read_metadata("Name: x\n\n" + "line\n" * 5_000_000).name == "x"
    assert read_metadata("X: y\n" * 1_000_000).name is None
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    ("text", "info"),
    [
        ("", WheelInfo(())),
        (
            "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-a\nTag: cp311-cp311-b\n",
            WheelInfo(("cp311-cp311-a", "cp311-cp311-b"), None, False, "1.0"),
        ),
        (
            "Build: 7\nTag: py3-none-any\nRoot-Is-Purelib: TRUE\n",
            WheelInfo(("py3-none-any",), "7", True),
        ),
        ("Root-Is-Purelib: perhaps\nTag:\n", WheelInfo(())),
    ],
)
def test_tags_are_told(text: str, info: WheelInfo) -> None:
    assert read_wheel_info(text) == info
