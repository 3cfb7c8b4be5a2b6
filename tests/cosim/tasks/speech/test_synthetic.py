import importlib.util
import sys
from itertools import combinations

import numpy as np
import pytest

from cosim.tasks.registry import TASKS
from cosim.tasks.speech import synthetic as keywords_synthetic
from cosim.tasks.speech.acoustics import at_ratio, babble, coloured_noise, reverberate
from cosim.tasks.speech.espeak import Utterance, speak
from cosim.tasks.speech.synthetic import CLASSES, VARIANTS, SyntheticKeywords, build_synthetic_keywords
from netlists.errors import InputError, ToolkitError

speaks = pytest.mark.skipif(importlib.util.find_spec("espeakng_loader") is None, reason="the extra 'speech' is not installed")
SMALL = SyntheticKeywords(train=12, validation=12, test=12, seed=3)


@speaks
def test_the_same_settings_give_the_same_clips_and_say_synthetic(monkeypatch):
    monkeypatch.setattr(keywords_synthetic, "POOL", 6)
    one, two, other = (build_synthetic_keywords(s) for s in (SMALL, SMALL, SyntheticKeywords(12, 12, 12, seed=4)))
    assert one.provenance == two.provenance
    assert one.provenance.sha256 != other.provenance.sha256
    for part, again in zip(one.parts().values(), two.parts().values(), strict=True):
        np.testing.assert_array_equal(part.inputs, again.inputs)
        assert np.bincount(part.labels).tolist() == [len(part) // 12] * 12
        assert part.inputs.shape[1:] == (49, 40)
    assert one.provenance.synthetic
    assert str(one.provenance).startswith("SYNTHETIC")
    assert "synthetic" in one.name
    assert TASKS[one.name].summary.startswith("SYNTHETIC")
    assert len(CLASSES) == 12


def test_no_speaker_is_in_two_splits():
    for a, b in combinations(VARIANTS.values(), 2):
        assert not set(a) & set(b)


@speaks
def test_a_voice_that_is_not_there_is_named():
    with pytest.raises(InputError, match="variant='nobody': eSpeak NG has no such voice"):
        speak([Utterance("yes", "en", "nobody", 160, 50, 50)], 1)
    with pytest.raises(ToolkitError, match="accent='zz': eSpeak NG has no such language"):
        speak([Utterance("yes", "zz", "f1", 160, 50, 50)], 1)


def test_without_espeak_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(ToolkitError, match=r"pip install 'nladc-cosim\[speech\]'"):
        build_synthetic_keywords(SMALL)


def test_a_room_decays_as_asked_and_keeps_the_direct_sound():
    rng = np.random.default_rng(1)
    pulse = np.zeros(16000)
    pulse[0] = 1.0
    heard = reverberate(pulse, 16000, decay_s=0.4, direct_db=10.0, rng=rng)
    tail = heard - pulse
    np.testing.assert_allclose(10 * np.log10(1 / np.sum(tail**2)), 10.0, atol=1e-6)
    energy = [np.sum(tail[i : i + 800] ** 2) for i in range(0, 4800, 800)]
    slope = np.polyfit(np.arange(6) * 0.05, 10 * np.log10(energy), 1)[0]
    np.testing.assert_allclose(slope, -60 / 0.4, rtol=0.05)
    assert not tail[6400:].any() or np.abs(tail[6400:]).max() < 1e-12


def test_noise_has_its_colour_and_level():
    rng = np.random.default_rng(1)
    for exponent in (0.0, 1.0, 2.0):
        noise = coloured_noise(1 << 16, exponent, rng)
        np.testing.assert_allclose(np.mean(noise**2), 1)
        power = np.abs(np.fft.rfft(noise)) ** 2
        bands = [power[2**k : 2 ** (k + 1)].mean() for k in range(6, 15)]
        np.testing.assert_allclose(-np.polyfit(np.arange(9), np.log2(bands), 1)[0], exponent, atol=0.1)
    voices = [rng.standard_normal(n) for n in (100, 300, 5000, 20000)]
    talk = babble(voices, 16000, 3, rng)
    assert talk.shape == (16000,)
    np.testing.assert_allclose(np.mean(at_ratio(talk, 20.0, 0.5) ** 2), 0.005)
