"""Models: what they are, where their weights lie, and running them in ONNX Runtime."""
