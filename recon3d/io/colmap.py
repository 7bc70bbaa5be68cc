"""The only door to pycolmap."""

# pycolmap before zlib, Pillow or OpenCV corrupts later PNG writing (free(): invalid pointer).
