from .change import (
    Change as Change,
    accuracy_change as accuracy_change,
)
from .classes import (
    ClassFigures as ClassFigures,
)
from .comparison import (
    Comparison as Comparison,
    compare as compare,
    float_score as float_score,
)
from .effort import (
    weigh_chips as weigh_chips,
)
from .evaluator import (
    draw_chips as draw_chips,
    evaluate as evaluate,
    evaluate_text as evaluate_text,
)
from .grid import (
    sweep as sweep,
)
from .ideal import (
    ideal_hardware as ideal_hardware,
)
from .identity import (
    describe_hardware as describe_hardware,
)
from .metric import (
    METRICS as METRICS,
    Metric as Metric,
    metric_of as metric_of,
)
from .models import (
    load_models as load_models,
)
from .scores import (
    ScoredSequences as ScoredSequences,
    ScoredText as ScoredText,
    scored as scored,
)
from .statistics import (
    AccuracyInterval as AccuracyInterval,
    accuracy_interval as accuracy_interval,
    bits_interval as bits_interval,
    chip_interval as chip_interval,
    paired_difference as paired_difference,
)
