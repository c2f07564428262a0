"""SQL as files, found through importlib.resources."""
