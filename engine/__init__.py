"""The core: cameras in, immutable results out.

Knows no Qt, no database driver, no Redis and no web framework (see ``docs/ARCHITECTURE.md``).
"""
