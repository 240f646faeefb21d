"""The command line: it parses options, asks the api, prints a report and chooses the exit code."""

from .group import cli, main

__all__ = ["cli", "main"]
