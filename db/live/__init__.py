"""The Redis protocol: live state, events and commands between processes."""
