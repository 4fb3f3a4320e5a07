"""Gamma exposure: arrays in, arrays out. No I/O, no clock, no settings."""
