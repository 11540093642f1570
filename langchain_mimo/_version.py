"""The version; one for all three packages."""

from mimo_core._version import __version__ as __version__
