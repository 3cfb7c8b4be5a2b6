from .converter import (
    of_chip as of_chip,
    of_corner as of_corner,
)
from .jax_function import (
    ramp_function as ramp_function,
)
from .torch_module import (
    RampActivation as RampActivation,
)
