"""Measures of how good answers are: pure functions of arrays, each module validate -> metric -> evaluate.

Nothing here knows of files, models or clips, so every number can be tried on values made by hand.
"""
