"""Repositories: the stores behind the engine's ports."""
