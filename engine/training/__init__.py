"""Training, export and evaluation of the project's own models.

Nothing here is needed to watch horses: torch is imported inside functions and modules that only
``barnhand train`` and ``barnhand evaluate`` reach.
"""
