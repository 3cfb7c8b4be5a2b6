from .run import (
    describe_models as describe_models,
    run_models_study as run_models_study,
)
