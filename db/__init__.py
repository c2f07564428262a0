"""Data stores behind the engine's ports: PostgreSQL and the Redis protocol."""
