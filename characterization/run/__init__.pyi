from .chunks import (
    ChunkStore as ChunkStore,
)
from .folder import (
    RunStatus as RunStatus,
    read_manifest as read_manifest,
    run_status as run_status,
)
from .montecarlo import (
    BATCH as BATCH,
    LEVEL_SECONDS as LEVEL_SECONDS,
    characterize as characterize,
    check_counts as check_counts,
    load_run as load_run,
    simulate_run as simulate_run,
    time_limit as time_limit,
    weigh_samples as weigh_samples,
)
from .progress import (
    CHUNK_SAMPLES as CHUNK_SAMPLES,
)
from .reproduction import (
    Reproduction as Reproduction,
    reproduce as reproduce,
)
from .rows import (
    measured_rows as measured_rows,
)
from .tables import (
    FIGURES as FIGURES,
    Run as Run,
    write_tables as write_tables,
)
from .task import (
    load as load,
    simulate_samples as simulate_samples,
)
