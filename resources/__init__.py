"""Files shipped with the program; found with ``importlib.resources.files("resources")``."""
