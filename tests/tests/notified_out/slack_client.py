"""Slack's own client: posts the same message to the same receiver.

In: the receiver's `https://host:port/api/`, the file of its certificate, the bot's token, the message as JSON. Out: `ok` with the
message's name, or Slack's error as that client understands it.
"""

import json, ssl, sys

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

api, ca, token, message = sys.argv[1:]
client = WebClient(token=token, base_url=api, ssl=ssl.create_default_context(cafile=ca))
client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
try:
    posted = client.chat_postMessage(**json.loads(message))
    print("ok", posted["channel"] + ":" + posted["ts"])
except SlackApiError as error:
    print(error.response["error"])
