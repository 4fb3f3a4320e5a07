"""Gamma exposure: arrays in, arrays out. No I/O, no clock, no settings."""

from app.gex.engine import compute, contract_gamma, expose
from app.gex.params import Params
from app.gex.snapshot import Snapshot
from app.gex.surface import Surface, fit
from app.gex.warm import warm_up

__all__ = ["Params", "Snapshot", "Surface", "compute", "contract_gamma", "expose", "fit", "warm_up"]
