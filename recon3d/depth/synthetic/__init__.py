"""An endless supply of multi-view scenes with exact depth, to train depth networks on."""

from recon3d.depth.synthetic.photographic import degrade
from recon3d.depth.synthetic.photos import load_textures
from recon3d.depth.synthetic.rendering import RenderedScene, render_scene

__all__ = ["RenderedScene", "degrade", "load_textures", "render_scene"]
