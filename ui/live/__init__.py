"""The camera wall and everything around it."""
