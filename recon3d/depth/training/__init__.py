"""What the training of every network shares: the loop, its schedule, rendered scenes."""
