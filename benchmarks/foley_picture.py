"""What the picture network of the fast generator tells, against the truth of rendered clips: before any sound is made.

    python benchmarks/foley_picture.py MODEL DATASET [-o JSON]

MODEL is a model for `clapboard foley` of the method ``cues``, DATASET a data set of scenes with its truth. It is a test
of the mechanism, not of real recordings; nothing is chosen here, the threshold of onsets is the model's.

- F1 of the onsets told within 50 and 100 ms of the blows that are to be seen, all clips together, with its interval of
  95 % over clips; "moved" and "chance" as in `clapboard.metrics.onset_match`; the median of how late they are
- the true sound among those of all clips by the log-mel that was told (`clapboard.metrics.generation`)
- share of rows whose material is named rightly, of each material, of those rows in which it is heard
- correlation of the energy told with the true one, the mean over clips, and with the next clip's
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from clapboard.errors import ClapboardError, UsageError
from clapboard.files import write_text
from clapboard.metrics import generation, onset_match
from clapboard.models.foley_session import FoleyModel
from clapboard.synthesis.cues import LEAD_S, MATERIALS, Cues, times_of
from clapboard.synthesis.mel import log_mel
from clapboard.synthesis.picking import onsets
from clapboard.timebase import FEATURE_HZ
from clapboard.training.foley.picture_pieces import energy_of
from clapboard.training.foley.sets import Take, load_takes

LAG_S = 0.1
"""Onsets nearer than this count for how late they are told."""


def onsets_told(cues: list[Cues], takes: list[Take], model: FoleyModel) -> dict[str, Any]:
    """F1 with its control at both tolerances, and how late onsets are in the median, ms."""
    length_s = [take.rows / FEATURE_HZ for take in takes]
    late_s = model.spec.zero_ms / 1000
    told = [times_of(onsets(one.onset, model.spec.onset_threshold), LEAD_S) + late_s for one in cues]
    told = [np.clip(times, 0, length - 1e-6) for times, length in zip(told, length_s, strict=True)]
    true = [np.clip(times_of(take.seen_rows(), LEAD_S), 0, None) for take in takes]
    found: dict[str, Any] = {}
    for tolerance_s in onset_match.TOLERANCES_S:
        one = onset_match.evaluate(true, told, length_s, tolerance_s=tolerance_s)
        found[f"{1000 * tolerance_s:.0f} ms"] = {
            "f1": one.f1, "interval": one.interval, "precision": one.precision, "recall": one.recall,
            "moved": one.control, "chance": one.chance, "blows": one.true, "told": one.found,
        }  # fmt: skip
    lags = [b[j] - a[i] for a, b in zip(true, told, strict=True) for i, j in onset_match.match(a, b, LAG_S).tolist()]
    found["late_ms"] = {"median": 1000 * float(np.median(lags)), "spread": 1000 * float(np.std(lags))} if lags else {}
    return found


def measured(model: FoleyModel, takes: list[Take]) -> dict[str, Any]:
    """All numbers of the module's text.

    Raises
    ------
    UsageError : no take, or one without truth
    """
    if len(takes) < 2 or not all(take.told for take in takes):
        raise UsageError("what is told is measured on two clips or more, with the truth of each")
    cues = [model.cues(np.asarray(take.images)) for take in takes]
    mels = [log_mel(take.sound()) for take in takes]
    found: dict[str, Any] = {"clips": len(takes)}
    if any(len(take.seen_rows()) for take in takes):
        found["onsets"] = onsets_told(cues, takes, model)
    rank = generation.retrieval(generation.distances([one.mel for one in cues], mels))
    found["retrieval"] = {
        "top1": rank.top1, "interval": rank.top1_interval, "chance": rank.chance1, "median_rank": rank.median_rank
    }  # fmt: skip
    named = np.concatenate([one.materials.argmax(1) for one in cues])
    heard = np.concatenate([take.materials for take in takes])
    found["materials"] = {
        name: float((named[heard == index] == index).mean())
        for index, name in enumerate(MATERIALS)
        if (heard == index).any()
    }
    energies = [energy_of(mel) for mel in mels]
    own = [np.corrcoef(one.energy, true)[0, 1] for one, true in zip(cues, energies, strict=True)]
    pairs = zip(cues, [*energies[1:], energies[0]], strict=True)
    others = [np.corrcoef(one.energy[: len(true)], true[: len(one)])[0, 1] for one, true in pairs]
    found["energy"] = {"own": float(np.nanmean(own)), "next": float(np.nanmean(others))}
    return found


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Judge what the picture network of the fast generator tells.")
    parser.add_argument("model", help="a bundled name, or the .json of a model")
    parser.add_argument("data", type=Path, help="data set of scenes with its truth")
    parser.add_argument("-o", "--out", type=Path, help="write the numbers as JSON")
    chosen = parser.parse_args(arguments)
    try:
        found = measured(FoleyModel(chosen.model), load_takes([chosen.data]))
        text = json.dumps({"model": str(chosen.model), "data": chosen.data.name, **found}, indent=1)
        if chosen.out is not None:
            write_text(text + "\n", chosen.out, overwrite=True)
    except ClapboardError as error:
        print(f"clapboard: {error}", file=sys.stderr)
        return error.exit_code
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
