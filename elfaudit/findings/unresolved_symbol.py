"""A symbol that nobody in the scope defines.

## What it is

A relocation names a symbol, the reference is not weak, and no object that the lookup passes has a
definition that fits.

## Why it matters

Python imports with RTLD_NOW, so one such symbol kills the import. A program that binds lazily
dies when it first calls the function.

## How it is decided

As `do_lookup_x` and `check_match` do (glibc `elf/dl-lookup.c`), over the whole scope. Where a
library of the scope is itself missing, the symbol is undecided-symbol: it may be in there. Where
the process is a Python interpreter that is not at hand, its own names are assumed. What a
program, a preload or a library started with them only calls is a warning, unless they are bound
at once (BIND_NOW): it is looked up when the call comes.

Then every library at hand is asked for the symbol, and if none has it, the libraries of the
process are asked for a near miss:

- the same C++ function for the other `std::string` (`std::__cxx11::basic_string`, the one since
  GCC 5, and the old `std::basic_string`, which `-D_GLIBCXX_USE_CXX11_ABI=0` chooses);
- the same with `std::optional` for `c10::optional`, or `std::string_view` for `c10::string_view`:
  another release of torch;
- the same name with another version, or with a version that is not the default one;
- the same C++ function, of the same class with the same template arguments, with other
  parameters; not an operator outside of a class, of which there is one for each class;
- a C function of the name of a C++ function, or the reverse (`extern "C"`).

## Example

```console
$ elfaudit resolve fixtures/prebuilt/story/site-packages/torch/lib/libtorch_hip.so --root fixtures/prebuilt/story/root --quiet
FAILS  fixtures/prebuilt/story/site-packages/torch/lib/libtorch_hip.so: undefined symbol: rsmi_init
       /opt/rocm/lib/librocm_smi64.so.1 (SONAME librocm_smi64.so.1) exports rsmi_init
       only called, so a program that binds lazily would fail at the first call
  fix: add librocm_smi64.so.1 to DT_NEEDED of libtorch_hip.so, and /opt/rocm/lib to its RUNPATH: the
       loader does not look there
         elfaudit patch-needed fixtures/prebuilt/story/site-packages/torch/lib/libtorch_hip.so --add librocm_smi64.so.1 --add-runpath /opt/rocm/lib
       relink libtorch_hip.so with -lrocm_smi64
         -Wl,--no-as-needed -L/opt/rocm/lib -lrocm_smi64
       or, without changing a file, preload it
         export LD_PRELOAD=/opt/rocm/lib/librocm_smi64.so.1
```

A near miss:

```text
FAILS  libext.so: undefined symbol: _ZN5torch4nameERKSs
       libtorch.so has torch::name(std::__cxx11::basic_string<char, …> const&), wanted
         torch::name(std::string const&)
  fix: rebuild libext.so with -D_GLIBCXX_USE_CXX11_ABI=1, as libtorch.so was, or get a libtorch.so built
       with 0
```

## Fix

Add the library that has it to DT_NEEDED, relink with it, or preload it. After a near miss: build
both sides with the same compiler flags and against the same release.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Iterator

from ..loader import Status
from .case import Case
from .model import Finding, Severity
from .open_symbols import open_symbols
from .rule import Rule

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    return open_symbols(case, Status.UNRESOLVED, RULE.name)


RULE = Rule("unresolved-symbol", Severity.ERROR, __doc__, _check)
