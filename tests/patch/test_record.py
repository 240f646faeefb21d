"""RECORD: rows of changed files say what they are, every other character is where it was."""

from __future__ import annotations

import base64
import csv
import hashlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elfaudit.errors import PatchError
from elfaudit.patch.record import Digest, put_right, rows_of

NEW = Digest.of(b"new content")
ROW = f"sha256={base64.urlsafe_b64encode(hashlib.sha256(b'new content').digest()).decode()[:43]},11"
OLD = "sha256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,5"


def test_a_row() -> None:
    assert str(NEW) == ROW
    text = f"a.py,{OLD}\nb.so,{OLD}\nd/RECORD,,\n"
    assert put_right("w", text, {"b.so": NEW}) == f"a.py,{OLD}\nb.so,{ROW}\nd/RECORD,,\n"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_stay(end: str, last: bool) -> None:
    lines = [f"a.py,{OLD}", f"b.so,{OLD}", "d/RECORD,,"]
    text = end.join(lines) + end * last
    assert put_right("w", text, {"b.so": NEW}) == text.replace(lines[1], f"b.so,{ROW}")


def test_line_ends_of_several_kinds() -> None:
    text = f"a,{OLD}\r\nb,{OLD}\n\n\r\nc,{OLD}"
    expected = f"a,{ROW}\r\nb,{OLD}\n\n\r\nc,{ROW}"
    assert put_right("w", text, {"a": NEW, "c": NEW}) == expected


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ('"a,b.so"', "a,b.so"),
        ('"a ""quoted"" b.so"', 'a "quoted" b.so'),
        ('"plain.so"', "plain.so"),
        (" spaced .so ", " spaced .so "),
        ("\u00e4\u6f22.so", "\u00e4\u6f22.so"),
        ("a\x85b\u2028c\x0bd\x1ce.so", "a\x85b\u2028c\x0bd\x1ce.so"),  # no ends of lines
        ("\udcff.so", "\udcff.so"),
        ("dir/../x.so", "dir/../x.so"),
    ],
)
def test_paths_stay_as_they_are_written(written: str, path: str) -> None:
    text = f"first,{OLD}\n{written},{OLD}\nlast,,\n"
    assert put_right("w", text, {path: NEW}) == f"first,{OLD}\n{written},{ROW}\nlast,,\n"
    assert rows_of(text, [path]) == {path: (OLD.split(",", maxsplit=1)[0], "5")}


def test_columns_that_are_quoted() -> None:
    digest, size = OLD.split(",")
    text = f'"a.so","{digest}","{size}"\n'
    assert put_right("w", text, {"a.so": NEW}) == f'"a.so",{ROW}\n'


def test_a_row_that_is_there_twice() -> None:
    text = f"a,{OLD}\na,{OLD}\n"
    assert put_right("w", text, {"a": NEW}) == f"a,{ROW}\na,{ROW}\n"


def test_a_row_without_a_hash_asks_for_none() -> None:
    text = "a,,\nb,,\n"
    assert put_right("w", text, {"a": NEW}) == text


@pytest.mark.parametrize(
    "text", ["", "b,sha256=x,1\n", "a\n", "a,\n", f"a,{OLD},more\n", f"a ,{OLD}\n", f"/a,{OLD}\n"]
)
def test_no_row(text: str) -> None:
    """Missing, or of more or fewer columns than three."""
    with pytest.raises(PatchError, match=r"^dist: RECORD has no row for a: it does not describe"):
        put_right("dist", text, {"a": NEW})
    assert rows_of(text, ["a"]) == {}


def test_the_missing_rows_are_all_named() -> None:
    with pytest.raises(PatchError, match="no row for a, c:"):
        put_right("dist", f"b,{OLD}\n", {"c": NEW, "a": NEW, "b": NEW})


def test_rows_that_are_none_stay() -> None:
    text = f'no row\n\n,,\n,,,\na,{OLD}\n"un,{OLD}\n'
    assert put_right("w", text, {"a": NEW}) == text.replace(f"\na,{OLD}", f"\na,{ROW}")


def test_a_row_longer_than_any_path() -> None:
    text = f'"{"x" * 200_000}",{OLD}\na,{OLD}\n'
    assert put_right("w", text, {"a": NEW}) == text.replace(f"\na,{OLD}", f"\na,{ROW}")


def test_renamed_and_dropped() -> None:
    text = (
        f'x-1.dist-info/METADATA,{OLD}\r\n"x-1.dist-info/a,b",{OLD}\r\ny.py,{OLD}\r\n'
        "x-1.dist-info/RECORD.jws,,\r\nx-1.dist-info/RECORD,,\r\n"
    )
    found = put_right(
        "w", text, {"x-1.dist-info/METADATA": NEW},
        lambda path: path.replace("x-1.", "x-1+l."), ["x-1.dist-info/RECORD.jws"],
    )  # fmt: skip
    assert found == (
        f'x-1+l.dist-info/METADATA,{ROW}\r\n"x-1+l.dist-info/a,b",{OLD}\r\ny.py,{OLD}\r\n'
        "x-1+l.dist-info/RECORD,,\r\n"
    )


_PATHS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=8)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(_PATHS, min_size=1, max_size=6, unique=True), st.data())
def test_what_csv_writes_csv_reads(paths: list[str], data: st.DataObject) -> None:
    buffer = io.StringIO()
    end = data.draw(st.sampled_from(("\n", "\r\n")))
    dialect = data.draw(st.sampled_from(("excel", "unix")))  # the latter quotes everything
    csv.writer(buffer, dialect, lineterminator=end).writerows(
        [path, *OLD.split(",")] for path in paths
    )
    chosen = data.draw(st.sets(st.sampled_from(paths), min_size=1))
    text = put_right("w", buffer.getvalue(), dict.fromkeys(chosen, NEW))
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows == [[path, *(ROW if path in chosen else OLD).split(",")] for path in paths]
    before, after = buffer.getvalue().split(end), text.split(end)
    assert [a == b for a, b in zip(before, after, strict=True)] == [
        *(path not in chosen for path in paths), True,
    ]  # fmt: skip
