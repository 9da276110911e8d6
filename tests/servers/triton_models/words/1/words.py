"""Says the words of its input one by one, as a language model does; so many of them as it is asked for at most."""

import json
import time
from typing import Any

import numpy as np
import triton_python_backend_utils as pb  # type: ignore[import-not-found,unused-ignore]

PAUSE_S = 0.02
FAILURE = "fail"  # a word in whose place the model fails


class TritonPythonModel:
    def execute(self, requests: list[Any]) -> None:
        for request in requests:
            answer(request)


def answer(request: Any) -> None:
    sender = request.get_response_sender()
    given = pb.get_input_tensor_by_name(request, "text_input").as_numpy().reshape(-1)[0].decode()
    limit = json.loads(request.parameters() or "{}").get("max_new_tokens", 1000)
    for number, word in enumerate(given.split(" ")[: int(limit)]):
        time.sleep(PAUSE_S)
        if word == FAILURE:
            sender.send(pb.InferenceResponse(error=pb.TritonError("the model has failed")))
            break
        text = f" {word}" if number else word
        sender.send(pb.InferenceResponse([pb.Tensor("text_output", np.array([text.encode()], dtype=object))]))
    sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
