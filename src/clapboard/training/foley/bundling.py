r"""One model of the parts that were learned one by one: the picture, and textures and a vocoder where they are given.

::

    python -m clapboard.training.foley.bundling runs/foley/picture/model/foley-picture.json \
        --texture runs/foley/texture/texture.json --vocoder runs/foley/vocoder/vocoder.onnx -o FOLDER --name NAME
"""

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from clapboard.errors import ClapboardError, ModelError, UsageError
from clapboard.models.description import read_json
from clapboard.models.foley_session import FoleyModel
from clapboard.models.foley_spec import CUES, FoleySpec
from clapboard.models.verify import verify
from clapboard.training.export import name_and_hash, new_model
from clapboard.training.foley.texture_export import read_texture
from clapboard.training.foley.vocoder_export import ABOUT
from clapboard.training.publish import require_free

DEFAULT_NAME = "foley"


def bundle(
    picture: Path,
    folder: Path,
    name: str,
    *,
    texture: Path | None = None,
    vocoder: Path | None = None,
    licence: str = "",
    overwrite: bool = False,
) -> Path:
    """Write a model of the method ``cues``; its files appear together, the description last, after it has run once.

    Parameters
    ----------
    picture : JSON of a model whose picture stage, threshold and zero are taken over
    folder : made where it is missing
    texture : JSON of a flow of textures, as `clapboard.training.foley.texture_export` writes it
    vocoder : a vocoder's graph, as `clapboard.training.foley.vocoder_export` writes it, what is said of it beside it
    licence : of all weights
    overwrite : replace a model of that name

    Returns
    -------
    the path of ``NAME.json``

    Raises
    ------
    UsageError : a model of that name exists, the name is no file name, or the picture's model is of another method
    ModelError : a part is missing, or is not what it should be
    MediaError : the folder cannot be written to
    """
    require_free(folder, name, overwrite)
    spec = FoleySpec.read(picture)
    if spec.method != CUES:
        raise UsageError(f"{picture}: is of the method {spec.method}; give a model that has a picture stage")
    parts = {"picture": picture.parent / spec.files["picture"]["name"]}
    about: dict[str, Any] = {"licence": licence} if licence else {}
    about["picture"] = {key: value for key, value in spec.about.items() if key != "licence"}
    use = None
    if texture is not None:
        use, parts["texture"], about["texture"] = read_texture(texture)
    if vocoder is not None:
        parts["vocoder"], about["vocoder"] = vocoder, read_json(vocoder.with_name(ABOUT))
    with new_model(folder, name) as made:
        files = {}
        for stage, path in parts.items():
            target = made / f"{name}.{stage}.onnx"
            try:
                shutil.copyfile(path, target)
            except FileNotFoundError:
                raise ModelError(f"{path}: is missing; train that part again") from None
            files[stage] = name_and_hash(target)
        if files["picture"]["sha256"] != spec.files["picture"]["sha256"]:
            raise ModelError(f"{parts['picture']}: is not that of {picture}; export the model again")
        replace(spec, name=name, files=files, texture=use, about=about).write(made / f"{name}.json")
        verify(FoleyModel(made / f"{name}.json"))
    return folder / f"{name}.json"


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Make one model of the parts that make sound from silent picture.")
    parser.add_argument("picture", type=Path, help="JSON of a model with a picture stage")
    parser.add_argument("--texture", type=Path, help="JSON of a flow of textures")
    parser.add_argument("--vocoder", type=Path, help="graph of a vocoder")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--name", default=DEFAULT_NAME)
    parser.add_argument("--licence", default="", help="of all weights")
    parser.add_argument("--overwrite", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        made = bundle(
            chosen.picture,
            chosen.out,
            chosen.name,
            texture=chosen.texture,
            vocoder=chosen.vocoder,
            licence=chosen.licence,
            overwrite=chosen.overwrite,
        )
    except ClapboardError as error:
        print(f"clapboard: {error}", file=sys.stderr)
        return error.exit_code
    sizes = {stage: (chosen.out / file["name"]).stat().st_size for stage, file in FoleySpec.read(made).files.items()}
    print(f"{made}: {', '.join(f'{stage} {size / 1e6:.2f} MB' for stage, size in sizes.items())}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
