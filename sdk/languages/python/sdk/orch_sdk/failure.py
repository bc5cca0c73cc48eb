"""Why a plugin did not do what the host asked."""


class Failure(Exception):
    """Ends the call with these words. `retriable`: the same call may succeed later."""

    def __init__(self, message: str, *, retriable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.retriable = retriable
