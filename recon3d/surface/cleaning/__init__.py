"""The links of the chain that makes a clean mesh of a raw surface; each takes a mesh and gives one.

`surface/mesh.py` says in which order they come and why.
"""
