"""Files -> image set: reading, EXIF, frames of videos, masks, verdicts, known intrinsics."""
