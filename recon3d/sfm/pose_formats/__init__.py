"""Files of camera poses: one module per family of programs, and `registry`, which chooses."""
