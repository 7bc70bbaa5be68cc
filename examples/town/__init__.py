"""A town without end, drawn by a seed, for make_town.py to photograph; metres, z up."""
