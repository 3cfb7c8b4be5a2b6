from .run import (
    DemoSettings as DemoSettings,
)
from .run import (
    run_demo as run_demo,
)
