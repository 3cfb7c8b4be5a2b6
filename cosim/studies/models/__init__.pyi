from .run import (
    describe_models as describe_models,
)
from .run import (
    run_models_study as run_models_study,
)
