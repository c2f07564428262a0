"""Dialects of camera control."""
