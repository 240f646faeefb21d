"""Layout: colour, escapes, shortened paths, wrapped sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elfaudit.report.style import Style, clean, demangled_text, legible, plural, shorten_path, wrap


def test_colour_is_used_only_if_wanted() -> None:
    assert Style(80, colour=True).paint("x", "red", "bold") == "\x1b[31;1mx\x1b[0m"
    assert Style(80, colour=True).paint("x") == "x"
    assert Style(80).paint("x", "red") == "x"


def test_nothing_is_laid_out_for_less_than_forty_columns() -> None:
    assert Style(3).columns == 40
    assert Style(90).columns == 90


def test_names_are_demangled_only_if_wanted() -> None:
    text = "x.so: undefined symbol: _ZN4c10d5Store3getEv, version V (and 2 more)"
    assert Style(80).words(text) == text
    readable = "x.so: undefined symbol: c10d::Store::get(), version V (and 2 more)"
    assert Style(80, demangle=True).words(text) == readable
    assert demangled_text("foo_ZN1a1bE") == "foo_ZN1a1bE"  # not at the start of a name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain/path.so", "plain/path.so"),
        ("łódź", "łódź"),
        ("\udcff", r"\xff"),
        ("\ud800ł", r"\ud800ł"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\nb\x7f\x85", r"a\x0ab\x7f\x85"),
        ("\u202eexe", r"\u202eexe"),
    ],
)
def test_nothing_that_steers_a_terminal_gets_through(text: str, expected: str) -> None:
    assert clean(text) == expected


@given(st.text(alphabet=st.characters(codec=None, categories=["L", "N", "Cs", "Cc"])))
def test_cleaned_text_can_be_encoded(text: str) -> None:
    assert "\x1b" not in clean(text)
    assert clean(clean(text)) == clean(text)
    clean(text).encode()
    legible(text).encode()


def test_paths_are_shortened_in_the_middle() -> None:
    path = "/srv/images/rocm/opt/rocm-7.1/lib/librocm_smi64.so.1"
    assert shorten_path(path, 60) == path
    assert shorten_path(path, 45) == "/srv/…/opt/rocm-7.1/lib/librocm_smi64.so.1"
    assert shorten_path(path, 25) == "/…/lib/librocm_smi64.so.1"
    assert shorten_path(path, 5) == "…/librocm_smi64.so.1"
    assert shorten_path("a-long-name-without-directories.so", 5).startswith("a-long-name")


@given(st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=9), st.integers(1, 80))
def test_a_shortened_path_fits_and_keeps_the_name(parts: list[str], width: int) -> None:
    path = "/".join(parts)
    short = shorten_path(path, width)
    assert short.endswith(parts[-1])
    assert len(short) <= max(width, len(parts[-1]) + 2)
    assert short == path or "…" in short


@given(st.lists(st.text("abc", min_size=1, max_size=20)), st.integers(1, 60))
def test_wrapping_breaks_between_words_only(words: list[str], width: int) -> None:
    wrapped = wrap(" ".join(words), width, indent="  ", first=">")
    assert wrapped.removeprefix(">").split() == words
    for line in wrapped.split("\n"):
        assert len(line) <= width or len(line.removeprefix(">").split()) <= 1


def test_numbers_have_their_nouns() -> None:
    assert plural(1, "file") == "1 file"
    assert plural(12203, "file") == "12,203 files"
    assert plural(2, "library", "libraries") == "2 libraries"
