"""Mouths out of pictures: shots, faces, tracks, crops. `clapboard.vision.mouths.MouthFinder` is the way in."""
