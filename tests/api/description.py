"""The API's description of itself. Writing it takes most of a second, and nobody changes it."""

from __future__ import annotations

from app.api.app import build_api

DESCRIPTION = build_api().openapi()
