"""How the model stands: up, scale, markers, known lengths, GPS."""
