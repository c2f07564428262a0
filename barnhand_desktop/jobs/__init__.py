"""What background jobs do, and the node of this process that does them."""
