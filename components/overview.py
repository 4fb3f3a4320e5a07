"""The overview: the ladder, the profile and the heatmap of the expiries that matter most, side by side."""

from __future__ import annotations

from components import panels, surfaces
from components.facts import Crop, Facts, Parts
from components.state import PageState


def view(facts: Facts, state: PageState, crop: Crop) -> Parts:
    """Where price stands against the levels, at a glance."""
    parts = panels.begun(facts.snapshot, crop)
    panels.add_ladder(parts, facts.snapshot, crop, state)
    panels.add_profile(parts, facts.snapshot, crop, state)
    surfaces.add_overview(parts, facts, crop)
    return parts
