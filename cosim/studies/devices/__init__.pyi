from .run import (
    STUDY as STUDY,
)
from .settings import (
    DevicesSettings as DevicesSettings,
)
