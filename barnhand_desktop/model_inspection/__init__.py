"""Uploaded model files are looked at in a child process that may do very little.

``inspector`` starts it and is all that other processes import; the rest runs in the child.
"""
