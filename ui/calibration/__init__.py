"""Telling the program how a camera's picture lies on the ground."""
