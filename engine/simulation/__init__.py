"""The simulated barn: deterministic horses under several cameras, with full ground truth."""
