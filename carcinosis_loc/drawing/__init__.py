"""Pictures as arrays, ``(H, W, 3)``, uint8, RGB: points on an image, heatmaps, panels, curves. No torch, no state."""

from carcinosis_loc.drawing.curves import curve_figure
from carcinosis_loc.drawing.heat import Heatmap, heat_bar, heat_picture
from carcinosis_loc.drawing.marks import Marks, judged, labels, overlay, unjudged
from carcinosis_loc.drawing.panels import caption, panel
from carcinosis_loc.drawing.view import View, jpeg, png, view_of

__all__ = [
    "Heatmap",
    "Marks",
    "View",
    "caption",
    "curve_figure",
    "heat_bar",
    "heat_picture",
    "jpeg",
    "judged",
    "labels",
    "overlay",
    "panel",
    "png",
    "unjudged",
    "view_of",
]
