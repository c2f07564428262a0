"""Threads, mailboxes, clocks and meters: how the engine runs, not what it computes."""
