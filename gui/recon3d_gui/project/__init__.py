"""What a person works on: photos, settings and runs, with undo, in a file."""
