"""Changing the dynamic section of ELF files: planned, written beside the old file, proven."""
