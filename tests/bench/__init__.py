"""Benchmarks: run by hand (``python tests/bench/bench.py``), never by pytest."""
