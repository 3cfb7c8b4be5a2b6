from .ptb import (
    build_ptb as build_ptb,
)
from .sotu import (
    SHAKESPEARE_LICENCE as SHAKESPEARE_LICENCE,
    SOTU_LICENCE as SOTU_LICENCE,
    build_shakespeare as build_shakespeare,
    build_sotu as build_sotu,
)
