"""A symbol comes from a library that is only there because another one needs it.

## What it is

An object uses a symbol, and the library that defines it is not in the object's DT_NEEDED: some
other library in between lists it.

## Why it matters

It works by accident. The next release of the library in between drops its dependency, and the
load fails with `undefined symbol`.

## How it is decided

Every strong undefined symbol that a relocation names is bound as the loader binds it. It counts
where the provider is neither listed by the object nor in every process of that kind (the program,
the C library, the loader, for `Py*` names the interpreter), and no listed library has the symbol
as well.

## Example

```console
$ elfaudit resolve fixtures/prebuilt/story/variants/transitive/lib/libtorch_hip.so --root none --quiet
LOADS  fixtures/prebuilt/story/variants/transitive/lib/libtorch_hip.so
warning  rsmi_init comes from librocm_smi64.so.1, which is in the process only through librccl.so.1:
       it works by accident
       fixtures/prebuilt/story/variants/transitive/lib/librocm_smi64.so.1 is not in DT_NEEDED of
         fixtures/prebuilt/story/variants/transitive/lib/libtorch_hip.so
  fix: add librocm_smi64.so.1 to DT_NEEDED of libtorch_hip.so
         elfaudit patch-needed fixtures/prebuilt/story/variants/transitive/lib/libtorch_hip.so --add librocm_smi64.so.1
```

## Fix

List the library that is really used in DT_NEEDED: link with it.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Iterator

from .borrowed import borrowings
from .case import Case
from .model import Finding, Severity
from .rule import Rule

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    return borrowings(case, RULE.name, preloaded=False)


RULE = Rule("transitive-only", Severity.WARNING, __doc__, _check)
