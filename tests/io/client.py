"""Asks the service of input and output by the clients that gRPC's makers generate; what it found, as JSON, on standard output.

Arguments: the folder with the `.proto`, the service's address, its token, a folder for what is generated.
"""

import importlib
import json
import sys

import grpc
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_tools import protoc

protos, address, token, made = sys.argv[1:]
descriptor = f"{made}/set"
options = [f"-I{protos}", f"--python_out={made}", f"--grpc_python_out={made}", f"--descriptor_set_out={descriptor}"]
if protoc.main(["protoc", *options, "io_service.proto"]) != 0:
    sys.exit("protoc does not take the .proto")
sys.path.insert(0, made)
messages = importlib.import_module("io_service_pb2")
services = importlib.import_module("io_service_pb2_grpc")

channel = grpc.insecure_channel(address, options=[("grpc.max_send_message_length", -1)])
stub = services.IOServiceStub(channel)
found = {}


def code(call):
    """The status with which a call ends."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


def with_token(method, message, bearer=token):
    return method(message, timeout=30, metadata=[("authorization", f"Bearer {bearer}")])


read, write = messages.ReadFileRequest, messages.WriteFileRequest
found["ping"] = stub.Ping(messages.PingRequest(message="häu"), timeout=30).message
found["written"] = with_token(stub.WriteFile, write(path="out/a.bin", content=b"\x00\xffabc")).bytes_written
found["read"] = with_token(stub.ReadFile, read(path="out/a.bin")).content.hex()
found["codes"] = {
    "no token": code(lambda: stub.ReadFile(read(path="out/a.bin"), timeout=30)),
    "another token": code(lambda: with_token(stub.ReadFile, read(path="out/a.bin"), token + "x")),
    "not granted": code(lambda: with_token(stub.ReadFile, read(path="secret"))),
    "only read": code(lambda: with_token(stub.WriteFile, write(path="in/a", content=b""))),
    "a step aside": code(lambda: with_token(stub.ReadFile, read(path="out/../secret"))),
    "a link out": code(lambda: with_token(stub.ReadFile, read(path="out/link"))),
    "missing": code(lambda: with_token(stub.ReadFile, read(path="out/none"))),
    "too large": code(lambda: with_token(stub.WriteFile, write(path="out/b", content=bytes((4 << 20) + 1)))),
    "a message beyond all": code(lambda: with_token(stub.WriteFile, write(path="out/b", content=bytes(8 << 20)))),
    "another method": code(lambda: channel.unary_unary("/aiswa.IOService/None")(b"", timeout=30)),
    "no message": code(lambda: channel.unary_unary("/aiswa.IOService/Ping")(b"\xff\xff\xff", timeout=30)),
}
health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="aiswa.IOService"), timeout=30)
found["health"] = health_pb2.HealthCheckResponse.ServingStatus.Name(health.status)

asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol="aiswa.IOService")
answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([asked]), timeout=30)
# To its end: a stream that nobody ends keeps this program from ending.
(answer,) = answers
(told,) = answer.file_descriptor_response.file_descriptor_proto
with open(descriptor, "rb") as file:
    (compiled,) = descriptor_pb2.FileDescriptorSet.FromString(file.read()).file
found["described as protoc compiles it"] = descriptor_pb2.FileDescriptorProto.FromString(told) == compiled
channel.close()
json.dump(found, sys.stdout)
