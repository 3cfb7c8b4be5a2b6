import numpy as np
import pytest

from cosim.tasks.speech.features import hz_to_mel, mel_filters, mel_to_hz, mfcc, mfcc_tensorflow
from netlists.errors import InputError

# librosa 0.11.0: librosa.feature.mfcc(y=chirp(16000), sr=16000, n_mfcc=40, n_fft=640, hop_length=320, n_mels=40, center=False),
# transposed, frames 0, 20, 36, 48 and coefficients 0, 1, 2, 10, 39; the same at 8 kHz with n_fft=320 and hop_length=160.
LIBROSA = {
    16000: [
        [-354.908768, 69.23797, 63.939094, -13.396602, -0.573872],
        [-331.807945, 62.233806, -16.410597, 39.441166, -0.647577],
        [-170.731257, 71.376341, -41.472267, 7.248011, 0.117291],
        [-405.157569, 0.0, 0.0, 0.0, 0.0],
    ],
    8000: [
        [-376.291414, 81.613314, 71.343451, -22.992733, 0.487649],
        [-351.619704, 46.035941, -54.979531, -28.921109, 1.129586],
        [-171.193718, 27.741702, -48.235399, 0.737166, -2.030938],
        [-436.551598, 0.0, 0.0, 0.0, 0.0],
    ],
}

# A program of its own after the description of TensorFlow's operators, in loops: each bin of the DFT by its sum, shared out between
# the two mel bands whose centres it lies between, logarithms, each cosine by its sum. The same frames, coefficients 0, 1, 2, 5, 9.
TENSORFLOW = [
    [-50.823038, 25.884702, 7.495519, -1.492004, -1.849821],
    [-41.301489, 12.033621, -15.989524, 0.764625, -6.190315],
    [5.835544, 0.431219, -5.463695, 1.149251, -0.047594],
    [-247.139366, 0.0, 0.0, 0.0, 0.0],
]


def chirp(rate):
    t = np.arange(rate) / rate
    y = 0.3 * np.sin(2 * np.pi * (200 * t + 600 * t**2)) + 0.01 * np.cos(1e4 * t * t)
    y[-rate // 4 :] = 0
    return y


@pytest.mark.parametrize("rate", LIBROSA)
def test_coefficients_are_those_of_librosa(rate):
    features = mfcc(chirp(rate), rate)
    assert features.shape == (49, 40)
    np.testing.assert_allclose(features[np.ix_([0, 20, 36, 48], [0, 1, 2, 10, 39])], LIBROSA[rate], atol=2e-6)


def test_ten_coefficients_are_those_of_the_operators_of_tensorflow():
    features = mfcc_tensorflow(chirp(16000), 16000)
    assert features.shape == (49, 10)
    np.testing.assert_allclose(features[np.ix_([0, 20, 36, 48], [0, 1, 2, 5, 9])], TENSORFLOW, atol=2e-6)
    # A ripple of 0.01 % is seen.
    stretched = mfcc_tensorflow(chirp(16000) * (1 + 1e-4 * np.sin(np.arange(16000))), 16000)
    assert np.abs(stretched[[0, 20, 36]][:, [0, 1, 2, 5, 9]] - TENSORFLOW[:3]).max() > 1e-4


def test_clips_do_not_touch_each_other_and_precision_is_kept():
    rng = np.random.default_rng(1)
    clips = np.stack([chirp(8000) * a + 0.01 * rng.standard_normal(8000) for a in (0.1, 0.5, 1.0)] * 50)
    together = mfcc(clips, 8000)
    for i in (0, 1, 149):
        np.testing.assert_allclose(together[i], mfcc(clips[i], 8000), atol=1e-9)
    single = mfcc(clips.astype(np.float32), 8000)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, together, atol=1e-3)
    np.testing.assert_array_equal(mfcc(clips[0], 8000, n_mfcc=13), mfcc(clips[0], 8000)[:, :13])


def test_mel_scale_and_filters():
    np.testing.assert_allclose(hz_to_mel(np.array([0.0, 500.0, 1000.0, 6400.0])), [0, 7.5, 15, 42])
    f = np.array([3.0, 999.0, 1001.0, 7000.0])
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(f)), f)
    filters = mel_filters(16000, 4096, 40)
    # Triangles of area 1 over frequency.
    np.testing.assert_allclose(filters.sum(axis=0) * 16000 / 4096, 1, rtol=1e-2)


@pytest.mark.parametrize(
    ("audio", "options", "message"),
    [
        (np.zeros((2, 3, 8000)), {}, r"audio: has shape \(2, 3, 8000\)"),
        (np.zeros(8000, np.int16), {}, "type int16, must be"),
        (np.full(8000, np.nan), {}, "not finite"),
        (np.zeros(319), {}, "has 319 samples at 8000 Hz"),
        (np.zeros((0, 8000)), {}, "holds no clip"),
        (np.zeros(8000), {"n_mfcc": 41}, r"n_mfcc=41: must be 1..40"),
    ],
)
def test_bad_audio_is_named(audio, options, message):
    with pytest.raises(InputError, match=message):
        mfcc(audio, 8000, **options)
