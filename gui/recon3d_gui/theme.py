"""Colours, distances and fonts of the window, in one place that every panel asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import dearpygui.dearpygui as dpg

from recon3d_gui.contrast import Colour
from recon3d_gui.fonts import Fonts
from recon3d_gui.icons import ICONS
from recon3d_gui.project.preferences import Theme

COLOURS: Mapping[str, tuple[Colour, Colour]] = {
    "text": ((226, 230, 236, 255), (30, 34, 40, 255)),
    "muted": ((146, 154, 166, 255), (98, 106, 118, 255)),
    "accent": ((94, 158, 255, 255), (28, 100, 220, 255)),
    "good": ((98, 194, 128, 255), (16, 112, 52, 255)),
    "warning": ((232, 182, 86, 255), (138, 84, 0, 255)),
    "bad": ((238, 104, 104, 255), (196, 40, 40, 255)),
    "surface": ((24, 26, 30, 255), (246, 247, 249, 255)),
    "raised": ((38, 41, 47, 255), (232, 235, 239, 255)),
    "outline": ((58, 63, 72, 255), (205, 210, 218, 255)),
}
"""In the dark theme and in the light one."""

_COLOURED = {
    "text": ("Text", "CheckMark"),
    "muted": ("TextDisabled",),
    "surface": (
        "WindowBg", "PopupBg", "TitleBg", "TitleBgActive", "ChildBg", "ScrollbarBg", "MenuBarBg",
        "TableRowBg",
    ),
    "raised": ("FrameBg", "Button", "Tab", "Header", "TableHeaderBg"),
    "outline": (
        "Border", "Separator", "ScrollbarGrab", "FrameBgHovered", "FrameBgActive", "ButtonHovered",
        "HeaderHovered", "HeaderActive", "TabHovered", "TableBorderLight", "TableBorderStrong",
    ),
    "accent": (
        "ButtonActive", "SliderGrab", "SliderGrabActive", "TabActive", "TextSelectedBg",
        "ScrollbarGrabHovered", "ScrollbarGrabActive", "NavHighlight", "PlotHistogram",
    ),
}  # fmt: skip
_SOFT = {"TabActive": 110, "TextSelectedBg": 110, "NavHighlight": 160}
"""Opacity, where the full colour would shout."""
_STYLES: Mapping[str, tuple[float, ...]] = {
    "WindowPadding": (8, 8), "FramePadding": (8, 5), "ItemSpacing": (8, 8),
    "ItemInnerSpacing": (8, 4), "ScrollbarSize": (12,), "GrabMinSize": (12,),
    "WindowRounding": (6,), "ChildRounding": (0,), "FrameRounding": (4,), "PopupRounding": (4,),
    "ScrollbarRounding": (6,), "GrabRounding": (4,), "TabRounding": (4,),
}  # fmt: skip

_TIP_SECONDS, _TIP_WIDTH = 0.5, 320
_TIP_PADDING = (10, 8)
_MARK_PADDING = 2
"""Around the marks of check boxes and radio buttons: they are no larger than the text."""


class Ui:
    """What panels ask about looks. Made once the window is there."""

    def __init__(self, scale: float, theme: Theme, fonts: Fonts) -> None:
        self.scale = scale
        """Pixels of the screen for one of the design."""
        self.theme = theme
        self._fonts = fonts
        self._listeners: list[Callable[[], None]] = []
        self._items: list[tuple[int | str, str, int]] = []
        self.tip_theme: int | str = 0
        self._build()

    def px(self, length: float) -> int:
        """A length of the design in pixels of the screen."""
        return round(length * self.scale)

    def colour(self, name: str) -> Colour:
        """By name: text, muted, accent, good, warning, bad, surface, raised, outline."""
        dark, light = COLOURS[name]
        return dark if self.theme == "dark" else light

    def font(self, name: str, text: str = "") -> int | str:
        """By name: small, normal, title, mono; the system's own where `text` needs its letters."""
        return self._fonts.tag(name, text)

    def label(self, icon: str, words: str) -> str:
        """Words with the icon of that name (`icons.ICONS`) before them, where there are icons."""
        return f"{ICONS[icon]}  {words}" if self._fonts.has_icons else words

    def icon(self, name: str, otherwise: str = "•") -> str:
        """An icon alone, for the fonts small and normal, or what is shown where there are none."""
        return ICONS[name] if self._fonts.has_icons else otherwise

    def explain(self, item: int | str, text: str = "") -> None:
        """Give an item a tooltip."""
        with dpg.tooltip(item, delay=_TIP_SECONDS, tag=f"{item}.tip"):
            dpg.add_text(tag=f"{item}.tip.text", wrap=self.px(_TIP_WIDTH))
        # Its own, or that of the window in which it is made would cut its letters.
        dpg.bind_item_theme(f"{item}.tip", self.tip_theme)
        self.explain_anew(item, text)

    def explain_anew(self, item: int | str, text: str) -> None:
        """Change the words of a tooltip."""
        dpg.set_value(f"{item}.tip.text", text)
        dpg.bind_item_font(f"{item}.tip.text", self.font("normal", text))

    def offer(self, item: int | str, *, is_on: bool) -> None:
        """Show or hide an explained item; hidden alone it would lend its tooltip to a neighbour."""
        dpg.configure_item(item, show=is_on)
        dpg.configure_item(f"{item}.tip", show=is_on)

    def on_theme(self, callback: Callable[[], None]) -> None:
        """Be told when the colours have changed."""
        self._listeners.append(callback)

    def use_theme(self, theme: Theme) -> None:
        """Change the colours."""
        self.theme = theme
        for item, name, alpha in self._items:
            dpg.set_value(item, (*self.colour(name)[:3], alpha))
        for listener in self._listeners:
            listener()

    def _build(self) -> None:
        with dpg.theme() as theme:
            with dpg.theme_component(dpg.mvAll):
                for name, targets in _COLOURED.items():
                    for target in targets:
                        self._colour(target, name, _SOFT.get(target, 255))
                self._colour("ModalWindowDimBg", "surface", 190)
                for style, values in _STYLES.items():
                    scaled = [round(value * self.scale) for value in values]
                    dpg.add_theme_style(getattr(dpg, f"mvStyleVar_{style}"), *scaled)
            for kind in (dpg.mvCheckbox, dpg.mvRadioButton):
                with dpg.theme_component(kind):
                    # Flat and dark they would not be told from the ground.
                    self._colour("Border", "muted", 160)
                    self._colour("CheckMark", "accent")
                    dpg.add_theme_style(dpg.mvStyleVar_FrameBorderSize, 1)
                    dpg.add_theme_style(
                        dpg.mvStyleVar_FramePadding, self.px(_MARK_PADDING), self.px(_MARK_PADDING)
                    )
            for kind in (dpg.mvButton, dpg.mvInputText, dpg.mvCombo, dpg.mvCheckbox):
                with dpg.theme_component(kind, enabled_state=False):
                    self._colour("Text", "muted", 140)
                    for target in ("Button", "ButtonHovered", "ButtonActive", "FrameBg"):
                        self._colour(target, "raised", 120)
        dpg.bind_theme(theme)
        with dpg.theme() as self.tip_theme, dpg.theme_component(dpg.mvAll):
            for style in ("WindowPadding", "ItemSpacing"):
                distances = map(self.px, _TIP_PADDING)
                dpg.add_theme_style(getattr(dpg, f"mvStyleVar_{style}"), *distances)

    def _colour(self, target: str, name: str, alpha: int = 255) -> None:
        colour = (*self.colour(name)[:3], alpha)
        item = dpg.add_theme_color(getattr(dpg, f"mvThemeCol_{target}"), colour)
        self._items.append((item, name, alpha))
