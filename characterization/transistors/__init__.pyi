from .autozero import (
    AutozeroFigures as AutozeroFigures,
    measure_autozero as measure_autozero,
)
from .blocks import (
    EXTREMES as EXTREMES,
    measure_blocks as measure_blocks,
)
from .macro_fit import (
    MACRO_FILE as MACRO_FILE,
    macro_delay as macro_delay,
    write_macro_parameters as write_macro_parameters,
)
from .ota import (
    measure_integrator as measure_integrator,
    measure_ota as measure_ota,
)
