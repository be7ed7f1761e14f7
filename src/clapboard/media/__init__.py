"""Files: what they say of themselves, their pictures and sound by timestamp, and writing. The only importer of PyAV.

``probe.probe`` describes a file, ``read.read`` decodes it once, ``grid.on_grid`` puts frames on the picture grid,
``shift.shift`` and ``bake.bake`` move the sound, ``encode.write_clip`` makes clips.
"""
