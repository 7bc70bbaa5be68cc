"""How well the photos cover the model, and from where to take the next ones."""

USUAL_VIEWS = 5
"""As many further photos are suggested where nobody says how many."""
