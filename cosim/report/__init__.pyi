from .fields import (
    Counts as Counts,
    Numbers as Numbers,
    Resolutions as Resolutions,
    Words as Words,
    distinct as distinct,
)
from .file_names import (
    EVALUATION as EVALUATION,
)
from .page import (
    Page as Page,
    cell as cell,
    page_of as page_of,
    percent as percent,
)
from .pictures import (
    BEFORE as BEFORE,
    IDEAL as IDEAL,
    MEASURED as MEASURED,
    band as band,
    new_figure as new_figure,
    point_names as point_names,
    save_figure as save_figure,
    write_figure as write_figure,
    yield_bars as yield_bars,
)
from .registry import (
    STUDIES as STUDIES,
    changed_files as changed_files,
    load_study as load_study,
    write_report as write_report,
)
from .run_pictures import (
    draw_inl_bands as draw_inl_bands,
    draw_run as draw_run,
)
from .settings import (
    RunOptions as RunOptions,
    StudySettings as StudySettings,
    describe_settings as describe_settings,
    load_settings as load_settings,
)
from .study import (
    Results as Results,
    Study as Study,
    Takes as Takes,
    Work as Work,
    check_owner as check_owner,
)
from .tables import (
    read_table as read_table,
    write_table as write_table,
)
