"""Run in a process of its own: import modules, and say what each really has.

Reads module names, one a line; writes one JSON object a line: the module, and its names or null
where it cannot be imported.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
import warnings


def main() -> None:
    warnings.simplefilter("ignore")
    output = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        name = line.strip()
        names: list[str] | None = None
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                names = sorted(vars(importlib.import_module(name)))
            except BaseException:  # noqa: BLE001 - modules end in any way
                names = None
        output.write(json.dumps([name, names]) + "\n")
        output.flush()


if __name__ == "__main__":
    main()
