"""A live gamma-exposure dashboard on the trader's own Schwab feed."""

__version__ = "0.1.0"
