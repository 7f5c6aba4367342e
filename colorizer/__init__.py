"""Colors black-and-white photographs.

from colorizer import Colorizer
Colorizer.from_pretrained()("old.jpg").save("new.png")
"""

from .errors import UserError
from .inference import Colorizer
from .settings import Settings

__all__ = ["Colorizer", "Settings", "UserError"]
__version__ = "0.1.0"
