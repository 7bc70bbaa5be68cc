"""An endless supply of multi-view scenes with exact depth, to train depth networks on."""

from recon3d.depthnet.synthetic.photographic import degrade
from recon3d.depthnet.synthetic.photos import load_textures
from recon3d.depthnet.synthetic.rendering import RenderedScene, render_scene

__all__ = ["RenderedScene", "degrade", "load_textures", "render_scene"]
