"""A library is listed in DT_NEEDED, and nothing of it is used.

## What it is

A name in DT_NEEDED, and none of the object's undefined symbols binds to the library that is found
for it.

## Why it matters

The library, and all it needs, must be installed and is loaded at every start, for nothing. It is
no mistake: it may be listed for what its initialisers do, or so that others find it (`dlopen`, a
plugin's symbols). That is why the rule is only asked when it is selected.

## How it is decided

As `ldd -u` decides (`LD_DEBUG=unused`): the object's references are bound as the loader binds
them, weak ones too; a library that none of them binds to is unused. Libraries that were not found
are left out, and so are those that a filter (`DT_FILTER`, `DT_AUXILIARY`) stands for.

## Example

```console
$ elfaudit resolve fixtures/prebuilt/story/variants/twice/lib/libtorch_hip.so --root none --select unused-needed --quiet
LOADS  fixtures/prebuilt/story/variants/twice/lib/libtorch_hip.so
note  libamd_smi.so.26 is in DT_NEEDED, and nothing of it is used
```

## Fix

Link with `-Wl,--as-needed`, or do not link with it; `patchelf --remove-needed NAME FILE`
afterwards.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Iterator

from ..loader import Origin
from .case import Case
from .model import Finding, Severity
from .rule import Rule

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    subject, bindings = case.link_map.subject, case.bindings
    dynamic = case.model.dynamic
    index = bindings.indices.get(subject)
    if dynamic is None or index is None:
        return
    filtees = {*dynamic.filters, *dynamic.auxiliaries}
    references = index.references
    used = {bindings.provider(subject, key) for key in bindings.looked_up(subject, references.keys)}
    used |= {each.provider for key in references.copied for each in bindings.all_of(subject, key)}
    for entry in dict.fromkeys(case.link_map.edges.get(subject, ())):
        if entry.missing or entry in used or entry.name in filtees or entry is subject:
            continue
        if entry.origin is Origin.LOADED:
            continue  # the loader itself, which is in every process
        yield Finding(
            RULE.name,
            Severity.NOTE,
            subject.display,
            f"{entry.name} is in DT_NEEDED, and nothing of it is used",
        )


RULE = Rule("unused-needed", Severity.NOTE, __doc__, _check, default=False)
