"""The sounds that made-up speech is put together from: targets of the lips and of the voice for each.

Formants of vowels are near those of Peterson and Barney, "Control methods used in a study of the vowels", JASA 24
(1952), table II, men; loci of consonants follow Delattre, Liberman and Cooper, "Acoustic loci", JASA 27 (1955).
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["vowel", "stop", "nasal", "fricative", "glide", "breathed"]


@dataclass(frozen=True, slots=True)
class Phone:
    """Targets of one sound.

    Attributes
    ----------
    name : how it is written
    kind : how it is made
    opening : height of the opening between the lips, 1 = a wide /a/; 0 = shut; None = left to the neighbours
    spread : corners of the mouth: -1 rounded, +1 spread; None = left to the neighbours
    protrusion : lips pushed forward, 0 to 1
    formants_hz : F1 to F3 of a man, Hz; for consonants the places that formants move to
    voiced : amplitude of the voice while the sound is held, 0 to 1
    noise : amplitude of its noise, 0 to 1 (of stops: of the burst)
    noise_hz, noise_width_hz : middle and width of the noise's spectrum, Hz
    length_s : mean length, s (of stops: of the closure)
    breath_s : aspiration between the release and the voice, s
    tuck : lower lip against the upper teeth, 0 to 1
    tongue : tip of the tongue behind the teeth, 0 to 1
    """

    name: str
    kind: Kind
    opening: float | None
    spread: float | None
    protrusion: float
    formants_hz: tuple[float, float, float]
    voiced: float = 1.0
    noise: float = 0.0
    noise_hz: float = 2000.0
    noise_width_hz: float = 1000.0
    length_s: float = 0.08
    breath_s: float = 0.0
    tuck: float = 0.0
    tongue: float = 0.0

    @property
    def shut(self) -> bool:
        """Whether the lips are together: /p b m/."""
        return self.opening == 0.0


def _vowel(name: str, lips: tuple[float, float, float], formants_hz: tuple[float, float, float]) -> Phone:
    return Phone(name, "vowel", *lips, formants_hz)


VOWELS = {
    phone.name: phone
    for phone in (
        _vowel("a", (1.0, 0.1, 0.0), (730, 1200, 2500)),
        _vowel("ae", (0.85, 0.5, 0.0), (660, 1720, 2410)),
        _vowel("e", (0.55, 0.55, 0.0), (500, 1850, 2500)),
        _vowel("i", (0.30, 0.9, 0.0), (280, 2280, 3000)),
        _vowel("o", (0.50, -0.6, 0.6), (480, 900, 2400)),
        _vowel("aw", (0.75, -0.35, 0.4), (580, 850, 2420)),
        _vowel("u", (0.18, -1.0, 1.0), (310, 850, 2250)),
        _vowel("uh", (0.40, 0.0, 0.0), (520, 1350, 2450)),
    )
}
VOWEL_WEIGHTS = {"a": 4, "ae": 2, "e": 3, "i": 3, "o": 2, "aw": 2, "u": 2, "uh": 2}
DIPHTHONGS = {"a": ("i", "u"), "e": ("i",), "o": ("u",), "aw": ("i",)}

LABIAL, DENTAL, BACK = (230.0, 750.0, 2250.0), (250.0, 1750.0, 2650.0), (250.0, 1900.0, 2200.0)
_NOISE = {"noise_hz": 900.0, "noise_width_hz": 1300.0}

CONSONANTS = {
    phone.name: phone
    for phone in (
        Phone("p", "stop", 0.0, None, 0.1, LABIAL, 0.0, 0.55, length_s=0.085, breath_s=0.045, **_NOISE),
        Phone("b", "stop", 0.0, None, 0.1, LABIAL, 0.3, 0.35, length_s=0.075, breath_s=0.008, **_NOISE),
        Phone("m", "nasal", 0.0, None, 0.0, LABIAL, 0.7, length_s=0.075),
        Phone("t", "stop", 0.28, None, 0.0, DENTAL, 0.0, 0.5, 4200, 1800, 0.065, 0.045, tongue=0.5),
        Phone("d", "stop", 0.28, None, 0.0, DENTAL, 0.3, 0.3, 3600, 1800, 0.055, 0.01, tongue=0.5),
        Phone("n", "nasal", 0.30, None, 0.0, DENTAL, 0.7, length_s=0.06, tongue=0.6),
        Phone("k", "stop", 0.40, None, 0.0, BACK, 0.0, 0.45, 2000, 800, 0.065, 0.055),
        Phone("g", "stop", 0.40, None, 0.0, BACK, 0.3, 0.3, 2000, 800, 0.055, 0.015),
        Phone("f", "fricative", 0.05, 0.1, 0.0, LABIAL, 0.0, 0.12, 5000, 3500, 0.095, tuck=1.0),
        Phone("v", "fricative", 0.05, 0.1, 0.0, LABIAL, 0.35, 0.06, 5000, 3500, 0.065, tuck=1.0),
        Phone("s", "fricative", 0.16, 0.45, 0.0, DENTAL, 0.0, 0.3, 5800, 1500, 0.105),
        Phone("z", "fricative", 0.16, 0.45, 0.0, DENTAL, 0.35, 0.15, 5600, 1500, 0.075),
        Phone("sh", "fricative", 0.26, -0.45, 0.9, DENTAL, 0.0, 0.35, 3100, 1100, 0.105),
        Phone("w", "glide", 0.07, -1.0, 1.0, (290.0, 620.0, 2200.0), 0.6, length_s=0.075),
        Phone("r", "glide", 0.26, -0.35, 0.5, (330.0, 1150.0, 1600.0), 0.65, length_s=0.065),
        Phone("l", "glide", 0.40, 0.1, 0.0, (350.0, 1150.0, 2600.0), 0.65, length_s=0.06, tongue=1.0),
        Phone("j", "glide", 0.22, 0.75, 0.0, (280.0, 2250.0, 3000.0), 0.65, length_s=0.06),
        Phone("h", "breathed", None, None, 0.0, (500.0, 1500.0, 2500.0), 0.0, 0.0, length_s=0.06, breath_s=0.06),
    )
}
CONSONANT_WEIGHTS = {
    "p": 5, "b": 5, "m": 6, "t": 5, "d": 4, "n": 5, "k": 3, "g": 2, "f": 4, "v": 2,
    "s": 5, "z": 2, "sh": 3, "w": 4, "r": 4, "l": 4, "j": 2, "h": 2,
}  # fmt: skip
CLUSTERS = {"s": ("p", "t", "k", "l", "w", "m"), "p": ("l", "r"), "b": ("l", "r"), "t": ("r",), "k": ("l", "w")}
CODAS = ("p", "m", "n", "t", "k", "s", "l", "f", "sh")
