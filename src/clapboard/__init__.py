"""Clapboard: measure and repair the lip-sync of any video."""

__version__ = "0.1.0"
