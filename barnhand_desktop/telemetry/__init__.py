"""What the program says about itself: metrics, traces."""
