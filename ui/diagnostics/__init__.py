"""What the machine is doing, in numbers."""
