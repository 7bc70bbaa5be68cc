"""Photos onto a mesh: which photo colours a face, where it lies in the atlas, and no seams."""
