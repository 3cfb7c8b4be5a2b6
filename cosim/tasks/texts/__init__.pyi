from .ptb import (
    build_ptb as build_ptb,
)
from .sotu import (
    SHAKESPEARE_LICENCE as SHAKESPEARE_LICENCE,
)
from .sotu import (
    SOTU_LICENCE as SOTU_LICENCE,
)
from .sotu import (
    build_shakespeare as build_shakespeare,
)
from .sotu import (
    build_sotu as build_sotu,
)
