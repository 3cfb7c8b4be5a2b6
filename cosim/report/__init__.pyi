from .fields import (
    Counts as Counts,
    Numbers as Numbers,
    Words as Words,
)
from .page import (
    Page as Page,
    Section as Section,
    cell as cell,
    percent as percent,
)
from .pictures import (
    BEFORE as BEFORE,
    IDEAL as IDEAL,
    MEASURED as MEASURED,
    new_figure as new_figure,
    save_figure as save_figure,
)
from .published import (
    Beside as Beside,
    beside as beside,
)
from .registry import (
    PAGES as PAGES,
    write_report as write_report,
)
from .settings import (
    RunOptions as RunOptions,
    Study as Study,
    StudySettings as StudySettings,
    describe_settings as describe_settings,
    load_settings as load_settings,
)
from .tables import (
    read_table as read_table,
)
