"""Depth maps -> surface: fusion, cleaning, decimation, levels of detail, rays against it."""
