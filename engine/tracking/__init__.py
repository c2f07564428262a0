"""From detections to tracklets: motion, cost, assignment, appearance, confidence."""
