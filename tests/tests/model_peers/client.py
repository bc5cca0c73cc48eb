"""Asks one question as the company's own client does, and prints the answer.

`client.py openai|anthropic BASE`; what is asked comes on standard input.
"""

import json
import sys


def openai(base, asked):
    from openai import OpenAI

    client = OpenAI(base_url=base, api_key="the-key", max_retries=0)
    chunks = client.chat.completions.create(
        model=asked["model"],
        messages=[{"role": "user", "content": asked["text"]}],
        max_tokens=asked["tokens"],
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in chunks:
        for choice in chunk.choices:
            yield choice.delta.content or ""


def anthropic(base, asked):
    from anthropic import Anthropic

    client = Anthropic(base_url=base, api_key="the-key", max_retries=0)
    with client.messages.stream(
        model=asked["model"],
        messages=[{"role": "user", "content": [{"type": "text", "text": asked["text"]}]}],
        max_tokens=asked["tokens"],
    ) as stream:
        yield from stream.text_stream


clients = {"openai": openai, "anthropic": anthropic}
print("".join(clients[sys.argv[1]](sys.argv[2], json.load(sys.stdin))))
