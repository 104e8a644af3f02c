"""Weights that torchvision publishes: downloaded once, verified by checksum, and stored as safetensors."""

import re
import sys
import tempfile
from difflib import get_close_matches
from http.client import HTTPException
from pathlib import Path, PurePosixPath

import torch
from safetensors.torch import save_file

from ..errors import InputError
from ..networks.compat import prepare_torchvision
from ..storage.checksums import OPEN, seal
from ..storage.files import replacing
from .reading import read_state_dict

prepare_torchvision()

from torchvision.models import get_model_weights, list_models  # noqa: E402

CHECKSUM = re.compile(r"-([0-9a-f]{8,})\.")  # the first digits of the file's SHA-256, a part of its name


def published_weights() -> dict[str, str]:
    """The URLs of all weights that torchvision publishes with a checksum, by name."""
    return {
        str(weights): weights.url
        for model in list_models(exclude="quantized_*")
        for weights in get_model_weights(model)
        if CHECKSUM.search(weights.url)
    }


def fetch_weights(name: str, output: Path | str) -> None:
    """Write the weights that torchvision publishes under a name, such as ``Swin3D_T_Weights.KINETICS400_V1``.

    ``output`` is a safetensors file with torchvision's tensor names. Raises ``InputError`` if there are no such
    weights, if there is no network connection, or if the checksum differs from the one in the URL.
    """
    output, known = Path(output), published_weights()
    if name not in known:
        near = get_close_matches(name, known) or ["Swin3D_T_Weights.KINETICS400_V1"]
        raise InputError(f"torchvision publishes no weights '{name}'; published are, for example, {', '.join(near)}")
    url = known[name]
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        downloaded = Path(folder) / PurePosixPath(url).name
        _download(url, downloaded)
        state = read_state_dict(downloaded)
    with replacing(output) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, temporary, metadata={"file": OPEN})
        seal(temporary)


def _download(url: str, file: Path) -> None:
    checksum = CHECKSUM.search(url)
    try:
        torch.hub.download_url_to_file(url, str(file), checksum and checksum[1], progress=sys.stderr.isatty())
    except (OSError, HTTPException) as error:
        raise InputError(
            f"{url} cannot be downloaded from here ({error}); download it on a machine with a network connection, "
            "and name the file under weights: instead"
        ) from None
    except RuntimeError as error:
        raise InputError(f"the download of {url} is not the published file ({error}); run again") from None
