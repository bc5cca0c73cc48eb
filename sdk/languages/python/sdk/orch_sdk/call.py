"""One call of the plugin, and what becomes of what it throws. The entry that `orch-plugin build` writes uses it."""

from componentize_py_types import Err

from orch_sdk import _types as types
from orch_sdk import log
from orch_sdk.failure import Failure

_OWN = "orch_sdk"


def call(function, *arguments):
    """What the function returns. Whatever it throws becomes a failure that says where."""
    log._begin()
    try:
        return function(*arguments)
    except Failure as failure:
        raise Err(types.Failure(failure.message, failure.retriable)) from None
    except Err as error:
        if isinstance(error.value, types.Failure):
            raise
        denied = type(error.value).__name__.removeprefix("Error_").lower()
        said = getattr(error.value, "value", None)
        message = f"the host said {denied}" + (f": {said}" if said is not None else "")
        raise _failure(message, error, retriable=denied == "unavailable") from None
    except BaseException as error:
        text = str(error)
        name = type(error).__name__
        retriable = getattr(error, "retriable", False) is True
        raise _failure(f"{name}: {text}" if text else name, error, retriable) from None
    finally:
        log._end()


def _failure(message: str, error: BaseException, retriable: bool = False) -> Err:
    places = _places(error)
    for place in places:
        log.error(f"  {place}")
    where = f" ({places[-1]})" if places else ""
    log.error(message + where)
    return Err(types.Failure(message + where, retriable))


def _places(error: BaseException) -> list[str]:
    """File and line of each frame of the plugin's own, outermost first. No file is read: here there are none."""
    places, trace = [], error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if _OWN not in file:
            places.append(f"{file.rsplit('/', 1)[-1]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return places


__all__ = ["call"]
