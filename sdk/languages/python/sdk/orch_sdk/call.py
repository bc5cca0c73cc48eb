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
    except BaseException as error:
        raise failed(error) from None
    finally:
        log._end()


def failed(error: BaseException) -> Err:
    """The failure that it becomes; what nobody threw on purpose is logged with its places."""
    if isinstance(error, Failure):
        return Err(types.Failure(error.message, error.retriable))
    if isinstance(error, Err):
        if isinstance(error.value, types.Failure):
            return error
        word = type(error.value).__name__.removeprefix("Error_").lower()
        said = getattr(error.value, "value", None)
        message = f"the host said {word}" + (f": {said}" if said is not None else "")
        return _failure(message, error, retriable=word == "unavailable")
    text = str(error)
    name = type(error).__name__
    retriable = getattr(error, "retriable", False) is True
    return _failure(f"{name}: {text}" if text else name, error, retriable)


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


__all__ = ["call", "failed"]
