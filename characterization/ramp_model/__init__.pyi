from .conditions import (
    fit_conditions as fit_conditions,
)
from .draw import (
    RampDraw as RampDraw,
)
from .file import (
    Fitted as Fitted,
    read_model as read_model,
    write_model as write_model,
)
from .goodness_of_fit import (
    Fresh as Fresh,
    GoodnessOfFit as GoodnessOfFit,
)
from .model import (
    MINIMUM_SAMPLES as MINIMUM_SAMPLES,
    RampModel as RampModel,
    is_ramp_model as is_ramp_model,
)
from .noise import (
    read_noise_shape as read_noise_shape,
)
from .validation import (
    INPUTS_PER_CHIP as INPUTS_PER_CHIP,
    test_lines as test_lines,
    validate as validate,
)
