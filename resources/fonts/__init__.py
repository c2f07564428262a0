"""Bundled fonts of the console."""
