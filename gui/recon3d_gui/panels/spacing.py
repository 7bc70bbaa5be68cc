"""Themes for exact distances: without them texts stand as low as the framed widgets beside them."""

from __future__ import annotations

import dearpygui.dearpygui as dpg


def spaced_theme(margin_px: int, gap_px: int) -> int | str:
    """A theme for a child window that keeps its content off its edges and from each other.

    0, 0 is for windows whose items are all put in place by hand.
    """
    with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
        dpg.add_theme_style(dpg.mvStyleVar_WindowPadding, margin_px, gap_px)
        dpg.add_theme_style(dpg.mvStyleVar_ItemSpacing, gap_px, gap_px)
        dpg.add_theme_style(dpg.mvStyleVar_FramePadding, gap_px, round(0.6 * gap_px))
    return theme
