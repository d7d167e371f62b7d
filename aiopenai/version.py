"""The version of the package, and of the reference whose surface it has."""

__version__ = "0.1.0"
REFERENCE_VERSION = "3.57.0"
VERSION = __version__
