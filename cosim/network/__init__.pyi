from .files import (
    parse as parse,
    read_arrays as read_arrays,
    text as text,
    write_arrays as write_arrays,
)
from .formats import (
    EXPONENTS as EXPONENTS,
    FixedPoint as FixedPoint,
    Formats as Formats,
    format_names as format_names,
)
from .forward import (
    LANES as LANES,
    ExactPath as ExactPath,
    LayerRun as LayerRun,
    exact_activation as exact_activation,
    padded as padded,
    run_layer as run_layer,
    run_network as run_network,
)
from .head import (
    DENSE as DENSE,
    POOLINGS as POOLINGS,
    DenseLayer as DenseLayer,
    Scaling as Scaling,
    pool as pool,
)
from .importers import (
    CheckFailed as CheckFailed,
    Convention as Convention,
    Imported as Imported,
    OwnOutputs as OwnOutputs,
    from_torch as from_torch,
    import_network as import_network,
    read_outputs as read_outputs,
    read_tensors as read_tensors,
    to_torch as to_torch,
    write_safetensors as write_safetensors,
)
from .layer import (
    DIRECTIONS as DIRECTIONS,
    Layer as Layer,
)
from .metadata import (
    EpochRecord as EpochRecord,
    ImportOrigin as ImportOrigin,
    NetworkMetadata as NetworkMetadata,
)
from .network import (
    LSTMNetwork as LSTMNetwork,
    Network as Network,
)
from .ramps import (
    Ramps as Ramps,
    ramp_gates as ramp_gates,
)
