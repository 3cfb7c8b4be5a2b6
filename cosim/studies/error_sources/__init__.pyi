from .run import (
    COMMON as COMMON,
    OTHER_TRAININGS as OTHER_TRAININGS,
    TRAININGS as TRAININGS,
    ErrorSourcesSettings as ErrorSourcesSettings,
    describe as describe,
    run_error_sources as run_error_sources,
)
