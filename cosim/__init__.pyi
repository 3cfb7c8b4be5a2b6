from .chip.hardware import Arrays as Arrays, Hardware as Hardware
from .evaluation.comparison import compare as compare
from .evaluation.evaluator import evaluate as evaluate
from .evaluation.models import load_models as load_models
from .network.network import Network as Network
from .tasks.registry import load_task as load_task
from .tasks.task import Task as Task
from .training.settings import TrainingSettings as TrainingSettings
from .training.train import train_task as train_task
