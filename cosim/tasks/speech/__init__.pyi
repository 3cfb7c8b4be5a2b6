from .keywords import (
    build_keywords as build_keywords,
    build_keywords_test as build_keywords_test,
    clip_speakers as clip_speakers,
)
from .synthetic import (
    build_synthetic_keywords as build_synthetic_keywords,
)
from .voices import (
    build_voices as build_voices,
)
