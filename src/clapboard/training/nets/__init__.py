"""One file per network; `build` makes one by its name."""

import inspect
from collections.abc import Mapping
from typing import Any

from clapboard.errors import UsageError
from clapboard.training.nets.base import Inputs, TwoStream
from clapboard.training.nets.clapboard_s import ClapboardS
from clapboard.training.nets.syncnet_2016 import SyncNet2016
from clapboard.training.nets.syncnet_v2 import SyncNetV2
from clapboard.training.nets.wav2lip_expert import Wav2LipExpert

__all__ = ["NETWORKS", "Inputs", "TwoStream", "build", "options_of"]

NETWORKS: dict[str, type[TwoStream]] = {
    "clapboard-s": ClapboardS,
    "syncnet-2016": SyncNet2016,
    "syncnet-v2": SyncNetV2,
    "wav2lip-expert": Wav2LipExpert,
}


def options_of(name: str) -> dict[str, Any]:
    """Options of a network and their defaults.

    Raises
    ------
    UsageError : there is no such network
    """
    if name not in NETWORKS:
        raise UsageError(f"no network called {name}; there are {', '.join(NETWORKS)}")
    parameters = inspect.signature(NETWORKS[name]).parameters
    return {option: parameter.default for option, parameter in parameters.items()}


def build(name: str, options: Mapping[str, Any]) -> TwoStream:
    """Make a network by its name, with the options that differ from its defaults.

    Raises
    ------
    UsageError : there is no such network, it has no such option, or it cannot be made with such a value
    """
    known = options_of(name)
    for option in options:
        if option not in known:
            raise UsageError(f"{name} has no option {option}; it has {', '.join(known)}")
    try:
        net = NETWORKS[name](**options)
    except UsageError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{name} cannot be made with {dict(options)} ({error}); correct the options") from None
    net.built_as = (name, dict(options))
    return net
