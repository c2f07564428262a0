"""How one horse lives and moves: its time budget, and the trend of its asymmetry."""
