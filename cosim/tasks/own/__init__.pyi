from .arrays import (
    load_arrays as load_arrays,
    save_arrays as save_arrays,
)
from .load import (
    OwnData as OwnData,
    is_path as is_path,
    load_own as load_own,
)
from .manifest import (
    Item as Item,
    read_folder as read_folder,
    read_manifest as read_manifest,
)
from .splits import (
    SPLITTING as SPLITTING,
    split_items as split_items,
)
