"""A symbol comes from a library that is only there because of LD_PRELOAD.

## What it is

An object uses a symbol, the library that defines it is not in the object's DT_NEEDED, and it is
in the process because `LD_PRELOAD` names it.

## Why it matters

It works by accident. Wherever the variable is not set (another shell, a service, a test runner, a
set-user-id program) the load fails with `undefined symbol`.

## How it is decided

As for transitive-only, where the provider is a preload.

## Example

```console
$ elfaudit resolve fixtures/prebuilt/story/site-packages/torch/lib/libtorch_hip.so --root fixtures/prebuilt/story/root --preload /opt/rocm/lib/librocm_smi64.so.1 --quiet
LOADS  fixtures/prebuilt/story/site-packages/torch/lib/libtorch_hip.so
warning  rsmi_init comes from librocm_smi64.so.1, which is in the process only by LD_PRELOAD: it
       works by accident
       /opt/rocm/lib/librocm_smi64.so.1 is not in DT_NEEDED of
         fixtures/prebuilt/story/site-packages/torch/lib/libtorch_hip.so
  fix: add librocm_smi64.so.1 to DT_NEEDED of libtorch_hip.so, and /opt/rocm/lib to its RUNPATH: the
       loader does not look there
         elfaudit patch-needed fixtures/prebuilt/story/site-packages/torch/lib/libtorch_hip.so --add librocm_smi64.so.1 --add-runpath /opt/rocm/lib
```

## Fix

List the library in DT_NEEDED: link with it. Then the preload is not needed any more.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Iterator

from .borrowed import borrowings
from .case import Case
from .model import Finding, Severity
from .rule import Rule

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    return borrowings(case, RULE.name, preloaded=True)


RULE = Rule("preload-only", Severity.WARNING, __doc__, _check)
