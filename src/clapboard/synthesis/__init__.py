"""Sound made from numbers: blows and textures, spectra and waves; pure functions of arrays."""
