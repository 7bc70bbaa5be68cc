"""A model as one HTML file that any browser opens, offline."""

from recon3d.export.share.page import write_glb_page, write_page

__all__ = ["write_glb_page", "write_page"]
