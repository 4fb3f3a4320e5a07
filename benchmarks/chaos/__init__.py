"""Faults done to the real product, and what came of them. `python -m benchmarks.chaos --help`."""
