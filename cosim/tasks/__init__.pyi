from .cache import (
    working_folder as working_folder,
)
from .characters import (
    CharacterTask as CharacterTask,
)
from .fetch import (
    deb_members as deb_members,
    download_debs as download_debs,
    download_npm as download_npm,
    download_pypi_source as download_pypi_source,
    find_debs as find_debs,
    local_folder as local_folder,
    members as members,
    read_checked as read_checked,
)
from .lorenz import (
    lorenz_exponent as lorenz_exponent,
    lorenz_trajectory as lorenz_trajectory,
)
from .own import (
    OwnData as OwnData,
    is_path as is_path,
    load_own as load_own,
    save_arrays as save_arrays,
)
from .provenance import (
    Provenance as Provenance,
    listing_digest as listing_digest,
)
from .registry import (
    TASKS as TASKS,
    get_task as get_task,
    is_here as is_here,
    load_characters as load_characters,
    load_data as load_data,
    load_task as load_task,
)
from .sequences import (
    SequenceSet as SequenceSet,
    by_length as by_length,
)
from .task import (
    Task as Task,
)
