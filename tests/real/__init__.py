"""Tests on real files: wheels and packages fetched on demand, and the libraries of this machine."""
