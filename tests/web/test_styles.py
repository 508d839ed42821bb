"""Styles: enough contrast in both schemes (WCAG 2.2), nothing inline, nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import app.web

WEB = Path(app.web.__file__).parent
BASE = (WEB / "static" / "base.css").read_text(encoding="utf-8")
LIGHT, _, REST = BASE.partition("@media (prefers-color-scheme: dark)")
DARK = REST.partition("*, *::before")[0]

# Text on its ground needs 4.5 (1.4.3), edges of fields and focus rings 3 (1.4.11).
TEXT = [
    ("ink", "paper"),
    ("ink", "surface"),
    ("ink", "sunken"),
    ("ink-soft", "paper"),
    ("ink-soft", "surface"),
    ("ink-soft", "sunken"),
    ("brand", "paper"),
    ("brand", "surface"),
    ("brand", "brand-soft"),
    ("brand-strong", "surface"),
    ("on-brand", "brand"),
    ("on-brand", "brand-strong"),
    ("good", "good-soft"),
    ("warn", "warn-soft"),
    ("bad", "bad-soft"),
    ("bad", "surface"),
    ("note", "note-soft"),
    ("ink", "good-soft"),
    ("ink", "warn-soft"),
    ("ink", "bad-soft"),
    ("ink", "note-soft"),
]
EDGES = [
    ("line-strong", "surface"),
    ("line-strong", "paper"),
    ("focus", "paper"),
    ("focus", "surface"),
    ("bad", "surface"),
]


def _colours(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6})", css))


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.2, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [(*pair, 4.5) for pair in TEXT] + [(*pair, 3.0) for pair in EDGES],
)
def test_colours_can_be_told_apart(scheme: str, front: str, back: str, least: float) -> None:
    colours = _colours(LIGHT)
    if scheme == "dark":
        colours |= _colours(DARK)
    assert contrast(colours[front], colours[back]) >= least


def test_the_desks_frame_can_be_read() -> None:
    css = (WEB / "static" / "desk.css").read_text(encoding="utf-8")
    frame = css[css.index(".side {") : css.index(".stage {")]
    ground = "#0c241b"
    for colour in re.findall(r"color: (#[0-9a-f]{6})", frame):
        assert contrast(colour, ground) >= 4.5, colour


def test_light_and_dark_name_the_same_colours() -> None:
    assert set(_colours(DARK)) == set(_colours(LIGHT))


def test_styles_bring_nothing_from_elsewhere_and_stay_small() -> None:
    for path in (WEB / "static").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "@import" not in text
        assert not re.search(r"url\(", text), path.name
        assert not re.search(r"https?://(?!www\.w3\.org)", text), path.name
    borrower = sum(
        len((WEB / "static" / name).read_bytes()) for name in ("base.css", "borrower.css")
    )
    assert borrower < 20_000, "an old phone on a slow network pays for every byte"


def test_templates_hold_no_inline_code() -> None:
    for path in WEB.glob("templates/**/*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<style|\bstyle=|\bon[a-z]+=\"|<script(?! src=)|javascript:", text), (
            path.name
        )
