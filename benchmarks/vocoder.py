"""From log-mel to sound: what is lost on the way through a log-mel and back, by each way to make a wave of it.

    OPENBLAS_NUM_THREADS=1 python benchmarks/vocoder.py VOCODER.onnx DATASET... [--clips N] [-o JSON]

DATASET are data sets of scenes; of each clip the log-mel of its sound is made, and of that a wave by

- ``random phase``: magnitudes of the log-mel, phases by chance: the start of Griffin-Lim, and the bound from below
- ``griffin-lim 24`` and ``60`` rounds
- ``vocoder``: the network; ``vocoder + 4 rounds``: Griffin-Lim from its phases
- ``mel, true phase``: magnitudes of the log-mel, phases of the true sound: what no phase can repair
- ``true spectrum``: nothing is lost but rounding, the control: all distances have to be near 0

Measured for each clip and averaged over clips, each weighing the same:

- ``mel dB``: mean difference of log-mels, over what lies within 60 dB of the loudest band of the clip in one of them
- ``STFT``: spectral convergence, and ``log dB``: mean difference of magnitudes, over windows of 15, 37.5 and 75 ms, the
  sizes of Parallel WaveGAN's loss at 16 kHz, none of which the network was trained with; floor as for log-mels
- ``onsets``: share of the onsets of the true sound that the made sound has within 10 ms, ``others``: onsets that it has
  and the true sound does not within 50 ms, as part of all it has; ``late ms``: of those within 50 ms, the mean
  displacement, and in brackets the mean of its absolute value; both by `clapboard.sound.onsets`, rows of 10 ms
- ``buzz``: by how much the made sound is more like itself 10 ms later, one row, than the true one is: correlation of
  half seconds, of differences of samples, so that low tones do not outweigh the rest
- ``CPU s / s``: seconds of one thread for a second of sound, log-mel given, everything loaded
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clapboard.errors import ClapboardError, ModelError
from clapboard.files import require_writable, write_text
from clapboard.metrics.onset_match import match
from clapboard.runtime import onnx_runtime
from clapboard.synthesis.griffin_lim import FFT_SAMPLES, griffin_lim
from clapboard.synthesis.mel import log_mel, power_of_mel
from clapboard.synthesis.stft import framed
from clapboard.synthesis.vocoder import NetworkVocoder, istft
from clapboard.values import F32
from foley_clips import load_clips, onsets_of

RANGE_DB = 60.0
"""What lies so far below the loudest of a clip does not count."""
WINDOWS = ((240, 60), (600, 120), (1200, 240))
"""Window and step, samples, of the three resolutions."""
NEAR_S, FAR_S = 0.0101, 0.05
"""An onset is kept that comes as near as the first (10 ms and rounding), and is another one beyond the second."""
REFINED = 4
"""Rounds of Griffin-Lim after the vocoder."""
HALF_SECOND, ROW = 8000, 160
LEAST_LEVEL = 1e-4
"""Half seconds with a smaller deviation are silent."""
DB = 10 / np.log(10)
Way = Callable[[F32, F32], F32]
"""The true sound (160 R,) and its log-mel (R, 80) -> a made sound (160 R,)."""


def network(path: Path) -> NetworkVocoder:
    """The vocoder in an ONNX file.

    Raises
    ------
    ModelError : it cannot be loaded
    """
    runtime = onnx_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of the runtime's own kinds, which share no base
        raise ModelError(f"{path} cannot be loaded ({' '.join(str(error).split())}); give a vocoder.onnx") from None
    return NetworkVocoder(lambda mel: tuple(session.run(["real", "imag"], {"mel": mel})))


def ways(vocoder: NetworkVocoder) -> dict[str, Way]:
    """Every way to make a wave, see the module."""

    def with_true_phase(wave: F32, mel: F32) -> F32:
        spectrum = np.fft.rfft(framed(wave), axis=1)
        turned = spectrum / np.maximum(np.abs(spectrum), 1e-12) * np.sqrt(power_of_mel(mel, FFT_SAMPLES))
        return istft(turned.real.astype(np.float32), turned.imag.astype(np.float32))

    def copied(wave: F32, mel: F32) -> F32:
        spectrum = np.fft.rfft(framed(wave), axis=1)
        return istft(spectrum.real.astype(np.float32), spectrum.imag.astype(np.float32))

    return {
        "random phase": lambda _, mel: griffin_lim(mel, iterations=0),
        "griffin-lim 24": lambda _, mel: griffin_lim(mel, iterations=24),
        "griffin-lim 60": lambda _, mel: griffin_lim(mel, iterations=60),
        "vocoder": lambda _, mel: vocoder(mel),
        f"vocoder + {REFINED} rounds": lambda _, mel: griffin_lim(mel, iterations=REFINED, start=vocoder(mel)),
        "mel, true phase": with_true_phase,
        "true spectrum": copied,
    }


def mel_db(true: F32, made: F32) -> float:
    """Mean difference of log-mels, dB, see the module."""
    wanted, found = log_mel(true) * DB, log_mel(made) * DB
    least = wanted.max() - RANGE_DB
    wanted, found = np.maximum(wanted, least), np.maximum(found, least)
    heard = (wanted > least) | (found > least)
    return float(np.abs(wanted - found)[heard].mean()) if heard.any() else 0.0


def stft_distances(true: F32, made: F32) -> tuple[float, float]:
    """Spectral convergence and mean difference of magnitudes, dB, means over resolutions; see the module."""
    convergence, logs = [], []
    for size, step in WINDOWS:
        window = np.hanning(size + 1)[:-1].astype(np.float32)
        wanted, found = (
            np.abs(np.fft.rfft(np.lib.stride_tricks.sliding_window_view(wave, size)[::step] * window, axis=1))
            for wave in (true, made)
        )
        convergence.append(float(np.linalg.norm(found - wanted) / max(float(np.linalg.norm(wanted)), 1e-9)))
        least = max(float(wanted.max()) * 10 ** (-RANGE_DB / 20), 1e-9)
        wanted, found = np.maximum(wanted, least), np.maximum(found, least)
        heard = (wanted > least) | (found > least)
        logs.append(float(20 * np.abs(np.log10(wanted / found))[heard].mean()) if heard.any() else 0.0)
    return float(np.mean(convergence)), float(np.mean(logs))


def onset_errors(true: F32, made: F32) -> dict[str, Any]:
    """Onsets of the true sound, how many of them are near, those beside them, and displacements (s)."""
    wanted, found = onsets_of(true), onsets_of(made)
    near, far = match(wanted, found, NEAR_S), match(wanted, found, FAR_S)
    moved = found[far[:, 1]] - wanted[far[:, 0]]
    return {"true": len(wanted), "near": len(near), "made": len(found), "others": len(found) - len(far), "late": moved}


def buzz(true: F32, made: F32) -> float:
    """How much more like itself a row later the made sound is, in correlation; NaN where all is silent."""
    found = []
    for start in range(0, len(true) - HALF_SECOND + 1, HALF_SECOND):
        pair = [np.diff(wave[start : start + HALF_SECOND].astype(np.float64)) for wave in (true, made)]
        if min(one.std() for one in pair) > LEAST_LEVEL:
            like = [np.dot(one[ROW:], one[:-ROW]) / np.dot(one, one) for one in pair]
            found.append(like[1] - like[0])
    return float(np.mean(found)) if found else float("nan")


def judge(waves: Sequence[F32], make: Way) -> dict[str, float]:
    """All measures of one way over clips."""
    rows, errors, cpu_s = [], [], 0.0
    for wave in waves:
        mel = log_mel(wave)
        began = time.process_time()
        made = make(wave, mel)
        cpu_s += time.process_time() - began
        rows.append([mel_db(wave, made), *stft_distances(wave, made), buzz(wave, made)])
        errors.append(onset_errors(wave, made))
    late = 1000 * np.concatenate([one["late"] for one in errors])
    total = {key: sum(one[key] for one in errors) for key in ("true", "near", "made", "others")}
    buzzing = [row[3] for row in rows if np.isfinite(row[3])]
    mean = np.mean(rows, axis=0)
    return {
        "mel_db": float(mean[0]),
        "convergence": float(mean[1]),
        "log_db": float(mean[2]),
        "onsets_near": total["near"] / total["true"] if total["true"] else float("nan"),
        "onsets_others": total["others"] / total["made"] if total["made"] else float("nan"),
        "late_ms": float(late.mean()) if len(late) else float("nan"),
        "late_abs_ms": float(np.abs(late).mean()) if len(late) else float("nan"),
        "buzz": float(np.mean(buzzing)) if buzzing else float("nan"),
        "cpu_s_per_s": cpu_s / (sum(map(len, waves)) / 16_000),
        "onsets": float(total["true"]),
    }


def table(found: Mapping[str, Mapping[str, Mapping[str, float]]], clips: Mapping[str, int]) -> Iterator[str]:
    """Markdown, a table for each data set."""
    for data, rows in found.items():
        onsets = next(iter(rows.values()))["onsets"]
        yield f"{data}, {clips[data]} clips, {onsets:.0f} onsets"
        yield ""
        yield "| way | mel dB | STFT | log dB | onsets % | others % | late ms | buzz | CPU s / s |"
        yield "|---|---|---|---|---|---|---|---|---|"
        for way, row in rows.items():
            yield (
                f"| {way} | {row['mel_db']:.2f} | {row['convergence']:.3f} | {row['log_db']:.2f} "
                f"| {100 * row['onsets_near']:.1f} | {100 * row['onsets_others']:.1f} "
                f"| {row['late_ms']:+.1f} ({row['late_abs_ms']:.1f}) | {row['buzz']:+.2f} | {row['cpu_s_per_s']:.4f} |"
            )
        yield ""


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="What is lost between log-mel and sound.")
    parser.add_argument("vocoder", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--clips", type=int, help="no more than so many of each data set, the first ones")
    parser.add_argument("-o", "--out", type=Path, help="figures as JSON")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.out:
            require_writable(chosen.out, chosen.vocoder, overwrite=True)
        makers = ways(network(chosen.vocoder))
        found: dict[str, dict[str, dict[str, float]]] = {}
        clips = {}
        for folder in chosen.data:
            waves = [clip.wave for clip in load_clips(folder, chosen.clips)]
            name = f"{folder.resolve().parent.name}/{folder.resolve().name}"
            clips[name] = len(waves)
            for make in makers.values():  # what is loaded or planned at the first use is not counted
                make(waves[0], log_mel(waves[0]))
            found[name] = {way: judge(waves, make) for way, make in makers.items()}
        print("\n".join(table(found, clips)))
        if chosen.out:
            write_text(json.dumps(found, indent=1) + "\n", chosen.out, overwrite=True)
    except ClapboardError as error:
        print(f"clapboard: {error}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
