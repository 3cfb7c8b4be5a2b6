from .arrays import (
    PARTIAL_SUMS as PARTIAL_SUMS,
    Arrays as Arrays,
)
from .circuit_ramps import (
    CircuitRamp as CircuitRamp,
    own_circuit as own_circuit,
)
from .column_effects import (
    FAR as FAR,
    column_gains as column_gains,
    late_columns as late_columns,
    late_levels as late_levels,
    leaked_levels as leaked_levels,
)
from .converters import (
    NO_KEYS as NO_KEYS,
    Converters as Converters,
)
from .datapath import (
    ChipPath as ChipPath,
)
from .draw import (
    ArraySum as ArraySum,
    Chip as Chip,
    ChipCell as ChipCell,
    ChipMatrix as ChipMatrix,
    ChipParts as ChipParts,
    DrawnParts as DrawnParts,
    column_offsets as column_offsets,
    draw_chip as draw_chip,
    noise_keys as noise_keys,
)
from .hardware import (
    ENGINES as ENGINES,
    STATE_UNITS as STATE_UNITS,
    Hardware as Hardware,
    LinearAdc as LinearAdc,
    Ramp as Ramp,
)
from .integrators import (
    Integrators as Integrators,
)
from .mapping import (
    MatrixPlace as MatrixPlace,
    converted_columns as converted_columns,
    describe_split_biases as describe_split_biases,
    describe_wire_losses as describe_wire_losses,
    integrator_gains as integrator_gains,
    integrator_noise as integrator_noise,
    integrator_shifts as integrator_shifts,
    mapped_pairs as mapped_pairs,
    matrix_places as matrix_places,
    split_biases as split_biases,
    wire_losses as wire_losses,
    with_weights as with_weights,
)
from .pulses import (
    DeltaInputs as DeltaInputs,
    PulseCount as PulseCount,
    PwmInputs as PwmInputs,
    RowPulses as RowPulses,
    RowsDriven as RowsDriven,
    Saturation as Saturation,
    keep_rows as keep_rows,
    saturation as saturation,
)
from .tiled import (
    LEAST_ROWS as LEAST_ROWS,
    Tables as Tables,
    fits_tiles as fits_tiles,
    row_tables as row_tables,
    tiled_run as tiled_run,
)
from .units import (
    ConvertedColumns as ConvertedColumns,
    Exact as Exact,
)
from .weights import (
    OPEN as OPEN,
    EffectiveWeights as EffectiveWeights,
    arrival as arrival,
    bias_rows as bias_rows,
    drawn_cells as drawn_cells,
    effective_weights as effective_weights,
    folded as folded,
    through_wires as through_wires,
)
