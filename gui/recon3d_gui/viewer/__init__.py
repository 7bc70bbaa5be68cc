"""The 3D view: a process that draws, and the client that talks to it."""
