"""Service: greets whoever asks."""

from orch_sdk.service import Request, Response


def handle(request: Request) -> Response:
    if request.path != "/":
        return Response("nothing is here\n", 404)
    if request.method != "GET":
        return Response("only GET\n", 405, headers={"allow": "GET"})
    return Response("hello\n")
