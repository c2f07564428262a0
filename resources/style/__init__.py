"""Bundled style of the console."""
