"""Finding the object that cameras go around: a mask for every photo, made without any network."""
