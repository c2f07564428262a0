"""The chunk lane: recorded chunks analysed again, every picture, replacing what was provisional."""
