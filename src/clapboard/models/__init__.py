"""Models: what they are, where their weights lie, and running them in ONNX Runtime."""

DEFAULT_MODEL = "clapboard-s"
"""What is measured with where nobody says otherwise."""
DEFAULT_ANY_SOUND = "any-sound-s"
"""What is measured with where there are no lips, or none shall be looked at."""
DEFAULT_FOLEY = "foley-fast"
"""What makes sound from silent picture."""
