"""Voices: who speaks which language, from real recordings of telephone prompts in Debian packages.

Six classes of five speakers and five languages: one speaker speaks two of them, and one language has two speakers. Neither the
speaker nor the language alone gives the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from cosim.tasks import Provenance, Task, deb_members, download_debs, find_debs, listing_digest, working_folder
from netlists.errors import ToolkitError
from netlists.files import sha256_of

from .audio import clip_features, feature_sets, fit, read_wav

RATE = 8000
CLIP = RATE
"""Samples of a clip, one second: 49 frames."""

SHORTEST = RATE // 4
"""Recordings shorter than this, samples, are left out: they hold a click or nothing."""

PACKAGES = {
    "asterisk-core-sounds-en-wav": ("English, Allison", "c5aaa003fc071d5f6d4ea9de116ca77a950fafeb7c6d4d03874f91ed4116662a"),
    "asterisk-core-sounds-es-wav": ("Spanish, Allison", "8ed65f6ab39159efe21f13e403fe52d15ce3bc1230611625a3f85fdcd37934a1"),
    "asterisk-core-sounds-fr-wav": ("French, June", "c49c1fb0089813eb91e24e543845b18090bf7838b683a04473814732f9c96ebb"),
    "asterisk-core-sounds-it-wav": ("Italian, Carlo", "a20562f67dff66ffc1c659820c8e43f95d49bceeed0cd5b1e5460d03f182953b"),
    "asterisk-core-sounds-ru-wav": ("Russian, Ivrvoice", "53f66bd7a1de75391bc761203c4955c68e7f20128eb426215552fce4e836a7b0"),
    "asterisk-prompt-it-menardi-wav": ("Italian, Menardi", "8c2732d380a95218a07e258a5e24feee1489b086a98adc3195d3ba96bb68c9e6"),
}
"""Class of each package and the digest of its recordings: SHA-256 of what ``sha256sum`` prints for them, ordered by name.

The recordings are the same in every Debian release, the archives around them need not be.
"""

SOURCE = (
    "Voice prompts of the Asterisk telephone exchange, Debian packages asterisk-core-sounds-{en,es,fr,it,ru}-wav and "
    "asterisk-prompt-it-menardi-wav: recordings at 8 kHz by Allison Smith, June Wallack, Carlo Flora, Maxim Topal (ivrvoice.ru), "
    "and Marco Menardi and Paola Dal Zot (http://www.voip.ammdomus.it)."
)
LICENCE = (
    "CC BY-SA 3.0 (English and Spanish, Allison Smith; French, June Wallack), CC BY 3.0 (Italian, Carlo Flora; Russian, Maxim "
    "Topal), CC BY-SA 3.0 Italy (Italian, Menardi and Dal Zot, who ask to be named with their address)"
)
NOTES = (
    "One second a recording, the loudest; 49 x 40 MFCC. All recordings of a prompt, in whatever language, are in the same split. "
    "Each speaker was recorded with equipment of their own, which a network can learn to tell apart as well."
)


def build_voices(folder: Path | None = None) -> Task:
    """Fetches the packages with ``apt-get download`` (116 MB; no root needed), or takes them from a folder.

    Parameters
    ----------
    folder : Path or None
        Folder that holds the six .deb files.

    Raises
    ------
    ToolkitError
        The packages cannot be had, are damaged, or hold other recordings than the known ones.
    """
    what = "task 'voices'"
    if folder is not None:
        return voices_from(find_debs(tuple(PACKAGES), folder, what))
    with working_folder("voices") as scratch:
        return voices_from(download_debs(tuple(PACKAGES), Path(scratch), what))


def voices_from(debs: list[Path], packages: Mapping[str, tuple[str, str]] = PACKAGES) -> Task:
    """The task from one .deb for each package, in the order of ``packages``."""
    clips: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "test": []}
    labels: dict[str, list[int]] = {split: [] for split in clips}
    digests, versions = {}, set()
    for label, (path, (package, (_, expected))) in enumerate(zip(debs, packages.items(), strict=True)):
        recordings = {prompt_of(name): data for name, data in deb_members(path, lambda n: n.endswith(".wav")).items()}
        digest = listing_digest({name: sha256_of(data) for name, data in recordings.items()})
        if digest != expected:
            raise ToolkitError(
                f"{path}: SHA-256 of its {len(recordings)} recordings is {digest}, must be {expected}: another version of {package}"
            )
        digests[f"recordings of {package}"] = digest
        versions.add(path.name.split("_")[1].replace("%3a", ":"))
        for prompt, data in sorted(recordings.items()):
            samples = read_wav(data, RATE, f"{path}: {prompt}")
            if len(samples) < SHORTEST or prompt.startswith("silence/"):
                continue
            split = split_of(prompt)
            clips[split].append(fit(loudest(samples), CLIP))
            labels[split].append(label)
    return Task(
        name="voices",
        classes=tuple(name for name, _ in packages.values()),
        metric="accuracy",
        provenance=Provenance(
            source=SOURCE,
            version=", ".join(sorted(versions)),
            licence=LICENCE,
            sha256=digests,
            items={split: len(c) for split, c in clips.items()},
            notes=NOTES,
        ),
        **feature_sets({split: clip_features(c, RATE) for split, c in clips.items()}, labels),
    )


def prompt_of(path: str) -> str:
    """Name of a prompt, the same in all packages: the path below the folder that bears the speaker's name."""
    return str(PurePosixPath(path.removeprefix("./")).relative_to("usr/share/asterisk/sounds")).split("/", 1)[1]


def split_of(prompt: str) -> str:
    """Split of a prompt, from the hash of its name: 70 % training, 10 % validation, 20 % test."""
    share = int(sha256_of(prompt.encode())[:8], 16) / 2**32
    return "train" if share < 0.7 else "validation" if share < 0.8 else "test"


def loudest(samples: np.ndarray) -> np.ndarray:
    """The second of a recording that holds the most energy, all of a shorter one."""
    if len(samples) <= CLIP:
        return samples
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(float) ** 2)])
    start = int(np.argmax(energy[CLIP:] - energy[:-CLIP]))
    return samples[start : start + CLIP]
