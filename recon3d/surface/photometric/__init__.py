"""Photometric refinement: vertices move along their normals until the photos agree."""
