"""Many objects in one go: a folder of photos or a video each, one after the other."""
