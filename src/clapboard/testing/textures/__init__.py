"""Sounds that go on, made in code: water, engine, rotor and saw, heard as they are seen to move; see `render_texture`.

All that is measured on such clips is a test of the mechanism, not of how well anything works on real recordings.
"""

from clapboard.testing.textures.classes import TEXTURE_RANGES, TEXTURES
from clapboard.testing.textures.clip import TextureClip, render_texture

__all__ = ["TEXTURES", "TEXTURE_RANGES", "TextureClip", "render_texture"]
