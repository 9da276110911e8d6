"""Gives its input back in one answer."""

from typing import Any

import triton_python_backend_utils as pb  # type: ignore[import-not-found,unused-ignore]


class TritonPythonModel:
    def execute(self, requests: list[Any]) -> list[Any]:
        inputs = [pb.get_input_tensor_by_name(request, "text_input").as_numpy() for request in requests]
        return [pb.InferenceResponse([pb.Tensor("text_output", given)]) for given in inputs]
