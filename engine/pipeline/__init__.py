"""From opened sources to results: capture, analysis and fan-out."""
