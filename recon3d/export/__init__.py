"""Files for other programs: meshes, cameras, depth maps, Blender's folder."""
