from .run import (
    DemoSettings as DemoSettings,
    run_demo as run_demo,
)
