"""Ground control points: surveyed places that photos show, and how the cameras fit them."""
