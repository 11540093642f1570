"""The version of the distribution, for tracing and the user agent."""

__version__ = "0.1.0"
