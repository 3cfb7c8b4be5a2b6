from .run import (
    SensitivitySettings as SensitivitySettings,
    analyse as analyse,
    describe as describe,
    run_sensitivity as run_sensitivity,
)
