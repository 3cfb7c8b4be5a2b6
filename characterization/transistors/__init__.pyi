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
from .own_block import (
    MacroCheck as MacroCheck,
    MeasuredComparator as MeasuredComparator,
    check_macro as check_macro,
    macro_of as macro_of,
    measure_own_comparator as measure_own_comparator,
)
from .own_opamp import (
    MeasuredOpamp as MeasuredOpamp,
    fit_opamp as fit_opamp,
    measure_own_opamp as measure_own_opamp,
    two_stage_response as two_stage_response,
)
from .stages import (
    measure_stages as measure_stages,
)
