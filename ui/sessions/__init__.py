"""The Sessions page: videos and stretches of recording as the work of one horse, two of them side
by side, and the training calendar."""
