from .blocks import (
    EXTREMES as EXTREMES,
)
from .blocks import (
    measure_blocks as measure_blocks,
)
from .macro_fit import (
    MACRO_FILE as MACRO_FILE,
)
from .macro_fit import (
    macro_delay as macro_delay,
)
from .macro_fit import (
    write_macro_parameters as write_macro_parameters,
)
from .ota import (
    measure_integrator as measure_integrator,
)
from .ota import (
    measure_ota as measure_ota,
)
