from .settings import (
    KwsRealSettings as KwsRealSettings,
)
from .tuning import (
    tuned_network as tuned_network,
)
