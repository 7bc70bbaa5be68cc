"""What the window is made of, one module a panel."""
