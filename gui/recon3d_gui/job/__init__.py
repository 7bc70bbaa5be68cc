"""Runs, exports and forecasts in a process of their own, and what they will take."""
