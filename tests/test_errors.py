"""Exceptions: one sentence, the file first; and they cross process boundaries whole."""

from __future__ import annotations

import pickle

import pytest

from elfaudit import errors


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (errors.SourceError("x", "is a directory"), "x: is a directory"),
        (errors.WheelError("x::a", "is encrypted"), "x::a: is encrypted"),
        (errors.ElfFormatError("x", 16, "e_type", "is odd"), "x: e_type at offset 0x10: is odd"),
        (errors.NotElfError("x", 0, "e_ident", "is text"), "x: e_ident at offset 0x0: is text"),
        (errors.NotLoadableError("x", "is static"), "x: is static"),
        (errors.RequestError("no such pattern"), "no such pattern"),
    ],
)
def test_an_error_is_a_sentence_and_survives_pickling(
    error: errors.ElfAuditError, sentence: str
) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) == sentence
    assert type(copy) is type(error)
    assert copy.__dict__ == error.__dict__
    assert isinstance(copy, errors.ElfAuditError)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = errors.__doc__ or ""
    for name in errors.__all__:
        assert f" {name} " in drawn or f" {name}\n" in drawn or f"─ {name}" in drawn
