"""A checklist as TOML, for people to read and to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import tomli_w

from .draft import Draft, Section
from .identifiers import identifiers

__all__ = ["document"]

_WIDTH = 100
_MOST_LEFT_OUT, _LONGEST = 40, 300


def document(name: str, about: str, sections: Sequence[Section], left_out: Sequence[str]) -> str:
    """The text of the file.

    Args:
        name: of the checklist.
        about: what was looked at, as the user names it.
        sections: the checks, in the order in which they will be judged.
        left_out: what is not asked because it does not hold now, one sentence each.
    """
    drafts = [draft for each in sections for draft in each.drafts]
    names = identifiers((draft.kind, draft.about) for draft in drafts)
    ids = dict(zip(drafts, names, strict=True))
    parts = [_head(name, about)]
    for each in sections:
        if each.drafts:
            parts.append(f"# --- {_line(each.heading)}\n")
            parts += ["\n".join(_check(draft, ids)) + "\n" for draft in each.drafts]
    if left_out:
        parts.append("".join(f"# {_line(each)}\n" for each in _told(left_out)))
    return "\n".join(parts)


def _head(name: str, about: str) -> str:
    return (
        f"# What {_line(about)} was when `elfaudit verify --init` looked at it.\n"
        f"# Hold the next build to it:\n"
        f"#     elfaudit verify NEXT --checklist ./{name}.toml\n"
        "# Take out what may change from build to build. What each kind of check can ask:\n"
        "# docs/checks; the form of this file: docs/checklists.md.\n\n"
        f"{_pair('name', name)}\n"
        f"{_pair('summary', _plain(f'What {about} was when this was written.'))}\n"
    )


def _check(draft: Draft, ids: Mapping[Draft, str]) -> Iterator[str]:
    yield "[[check]]"
    yield _pair("id", ids[draft])
    yield _pair("title", _plain(draft.title))
    yield _pair("kind", draft.kind)
    yield from (_pair(key, value) for key, value in draft.parameters.items())
    if draft.needs is not None and draft.needs in ids:
        yield _pair("requires", [ids[draft.needs]])
    if draft.advice:
        yield _pair("advice", _plain(draft.advice))


def _told(left_out: Sequence[str]) -> Iterator[str]:
    yield "--- Not asked, as it does not hold now:"
    yield from (f"- {each}" for each in left_out[:_MOST_LEFT_OUT])
    if len(left_out) > _MOST_LEFT_OUT:
        yield f"- and {len(left_out) - _MOST_LEFT_OUT:,} more"


def _pair(key: str, value: object) -> str:
    """One key and its value; lists and tables on one line where they fit there."""
    if isinstance(value, dict):
        inside = ", ".join(_pair(name, each) for name, each in value.items())
        return f"{key} = {{ {inside} }}"
    if isinstance(value, list):
        return _listed(key, [_pair("x", each)[4:] for each in value])
    return tomli_w.dumps({key: value}).strip()


def _listed(key: str, items: Sequence[str]) -> str:
    """A list on as few lines as it needs."""
    line = f"{key} = [{', '.join(items)}]"
    if len(line) <= _WIDTH:
        return line
    lines = [f"{key} = ["]
    row = "   "
    for item in items:
        if len(row) + len(item) + 2 > _WIDTH and row.strip():
            lines.append(row)
            row = "   "
        row += f" {item},"
    return "\n".join((*lines, row, "]"))


def _plain(text: str) -> str:
    """A text in which nothing is a variable, and that can be written."""
    return text.replace("${", "$ {").encode("utf-8", "replace").decode()


def _line(text: str) -> str:
    """A text as part of a comment, which has no control characters."""
    line = "".join(each if each.isprintable() else "?" for each in text)
    return _plain(line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…")
