from .run import (
    COMMON as COMMON,
)
from .run import (
    OTHER_TRAININGS as OTHER_TRAININGS,
)
from .run import (
    TRAININGS as TRAININGS,
)
from .run import (
    describe as describe,
)
from .run import (
    run_error_sources as run_error_sources,
)
