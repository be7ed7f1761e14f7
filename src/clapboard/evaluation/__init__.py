"""How good a model is on a data set: what is measured there, against what is known, with controls beside it."""
