"""Bundled icons of the console."""
