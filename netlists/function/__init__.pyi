from .activations import (
    ACTIVATIONS as ACTIVATIONS,
)
from .activations import (
    Activation as Activation,
)
from .activations import (
    get_activation as get_activation,
)
from .output_levels import (
    OutputLevels as OutputLevels,
)
from .output_levels import (
    Quantizer as Quantizer,
)
from .table import (
    ActivationTable as ActivationTable,
)
from .table import (
    as_activation as as_activation,
)
from .table import (
    cubic_spline as cubic_spline,
)
from .table import (
    from_callable as from_callable,
)
from .table import (
    load_table as load_table,
)
from .table import (
    polynomial as polynomial,
)
from .thresholds import (
    Thresholds as Thresholds,
)
