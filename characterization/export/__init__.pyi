from .converter import (
    StaticConverter as StaticConverter,
    of_chip as of_chip,
    of_corner as of_corner,
    of_numbered_chip as of_numbered_chip,
)
from .jax_function import (
    ramp_function as ramp_function,
)
from .torch_module import (
    RampActivation as RampActivation,
)
