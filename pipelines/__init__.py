"""The delivery side of Sluice: checks, evidence, releases, promotions."""

__version__ = "0.1.0"
