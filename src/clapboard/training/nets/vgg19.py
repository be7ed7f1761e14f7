"""VGG19 up to its first fully connected layer, as Visual to Sound sees pictures; its weights come from the user.

The network [1]_ learned from ImageNet, whose weights cannot be part of Clapboard: `load_vgg19` takes them from a file
in the layout that torchvision publishes (``vgg19-dcbb9e9d.pth``, or the same as safetensors). What is used of it is
fc6, 4096 numbers of each frame [2]_.

References
----------
.. [1] K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015,
   table 1, configuration E.
.. [2] Y. Zhou, Z. Wang, C. Fang, T. Bui, T. L. Berg, "Visual to Sound", CVPR 2018, section 4.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from clapboard.errors import UsageError

BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""Channels and convolutions of each block; a maximum over 2 x 2 follows each."""
PX = 224
FC6 = 4096
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, red, green and blue, in parts of 1."""


class Vgg19(nn.Module):
    """(N, 224, 224, 3) of 0 to 255 -> (N, 4096), fc6 after its ReLU; names of weights as torchvision has them."""

    mean: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width, count in BLOCKS:
            for _ in range(count):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(channels * (PX // 32) ** 2, FC6), nn.ReLU())
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        planes = (images.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.spread
        found: Tensor = self.classifier(self.features(planes).flatten(1))
        return found


def load_vgg19(path: Path) -> Vgg19:
    """VGG19 with a user's weights, in `eval`; layers beyond fc6 in the file are not needed.

    Parameters
    ----------
    path : a ``.pth`` of tensors by torchvision's names, or ``.safetensors``

    Raises
    ------
    UsageError : the file cannot be read, or does not hold VGG19
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            held: Mapping[str, Tensor] = load_file(path)
        else:
            held = torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror or error}); give the file of VGG19's weights"
        ) from None
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        why = " ".join(str(error).split())[:120]
        raise UsageError(f"{path} holds no weights ({why}); give torchvision's file of VGG19") from None
    except Exception as error:
        if type(error).__name__ != "SafetensorError":  # it has no public home
            raise
        raise UsageError(f"{path} holds no weights ({error}); give torchvision's file of VGG19") from None
    net = Vgg19()
    wanted = net.state_dict()
    for name, tensor in wanted.items():
        there = held.get(name) if isinstance(held, Mapping) else None
        if not isinstance(there, Tensor) or there.shape != tensor.shape:
            shape = "nothing" if not isinstance(there, Tensor) else str(tuple(there.shape))
            raise UsageError(f"{path} is not VGG19: it has {shape} as {name}, not {tuple(tensor.shape)}")
    net.load_state_dict({name: held[name].float() for name in wanted})
    return net.eval()
