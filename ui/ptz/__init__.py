"""Steering cameras from the console: dock, keys, joystick, presets, tours, scans, set-up."""
