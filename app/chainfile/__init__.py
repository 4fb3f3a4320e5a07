"""Chains from files: Schwab's /chains JSON, Cboe's delayed-quote JSON and CSV, told apart by content, plain or gzipped."""

from app.chainfile.reader import parse_chain, read_chain

__all__ = ["parse_chain", "read_chain"]
