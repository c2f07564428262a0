"""The application: command line, wiring, servers, fronts and the remote API."""

__version__ = "0.1.0"
