from .convention import (
    RNN as RNN,
    Convention as Convention,
    build as build,
)
from .imported import (
    CheckFailed as CheckFailed,
    Imported as Imported,
    import_network as import_network,
    names_of as names_of,
)
from .oracle import (
    OwnOutputs as OwnOutputs,
    read_outputs as read_outputs,
    read_scaling as read_scaling,
)
from .reading import (
    listing_of as listing_of,
    read_stored as read_stored,
    read_tensors as read_tensors,
)
from .safetensors_file import write_safetensors as write_safetensors
from .stored import (
    Direction as Direction,
    Stored as Stored,
    StoredDense as StoredDense,
    StoredLayer as StoredLayer,
)
from .torch_tensors import (
    from_torch as from_torch,
    to_torch as to_torch,
)
