"""What a person can set: the schema, where it is kept, how it is read, saved and migrated."""
