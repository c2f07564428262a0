"""Named statements, loaded by db.queries."""
