"""The desktop program: drop photos, watch the model appear, save it.

`app.main` opens the window. `studio.Studio` is everything that it shows and can do, and like all
of `job/`, `photos/`, `project/` and `viewer/` it knows nothing of DearPyGui, which lives in
`panels/` and beside it. docs/GUI.md tells how it hangs together.
"""
