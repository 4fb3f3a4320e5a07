"""Contracts, their settlement instants, the chain as NumPy columns, and its byte form. No I/O."""
