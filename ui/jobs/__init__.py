"""Background work as the console shows it: progress, cancel, results."""
