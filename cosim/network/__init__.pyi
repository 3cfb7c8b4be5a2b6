from .files import (
    parse as parse,
    read_arrays as read_arrays,
    text as text,
    write_arrays as write_arrays,
)
from .forward import (
    LANES as LANES,
    exact_activation as exact_activation,
    padded as padded,
    run_layer as run_layer,
    run_network as run_network,
)
from .importers import (
    from_torch as from_torch,
    read_tensors as read_tensors,
    to_torch as to_torch,
    write_safetensors as write_safetensors,
)
from .network import (
    DIRECTIONS as DIRECTIONS,
    EpochRecord as EpochRecord,
    Layer as Layer,
    LSTMNetwork as LSTMNetwork,
    Network as Network,
    NetworkMetadata as NetworkMetadata,
)
