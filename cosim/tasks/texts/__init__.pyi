from .ptb import (
    build_ptb as build_ptb,
)
from .sotu import (
    SHAKESPEARE as SHAKESPEARE,
    SOTU as SOTU,
)
