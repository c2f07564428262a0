"""Settings made from the schema."""
