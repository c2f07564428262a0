"""Endpoints by subject. They are bound to paths and roles in ``barnhand_desktop.api.routes``."""
