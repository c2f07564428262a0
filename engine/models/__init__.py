"""Model files (store and manifest), their runtimes (sessions) and what their outputs mean."""
