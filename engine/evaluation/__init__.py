"""How well whole stages do on material with ground truth, by public metrics."""
