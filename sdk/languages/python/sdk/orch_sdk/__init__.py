"""What a plugin in Python is written with, beside `wit_world`, which has the host's interfaces with their types.

What is thrown becomes a failure of the call; `print` becomes lines of the log.
"""

from orch_sdk import log
from orch_sdk.failure import Failure

__all__ = ["Failure", "log"]
