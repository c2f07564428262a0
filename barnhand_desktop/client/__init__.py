"""A typed client of the remote API, for other programs and for the tests."""
