"""The remote API: a process of its own that reads the stores and asks the engine over the bus.

It loads no Qt and no models; import-linter and a test keep it so.
"""
