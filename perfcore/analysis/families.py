"""What servers call their metrics: vLLM, SGLang, TGI, Triton and llama.cpp, and the exporters of GPU telemetry.

A quantity has a list of places where it may be found, better ones first; of each URL the first that is there counts.
Counters are found with `_total` at their end and without: OpenMetrics has it, some servers do not.
"""

from dataclasses import dataclass

PREFIXES = {"vllm:": "vllm", "sglang:": "sglang", "tgi_": "tgi", "nv_": "triton", "llamacpp:": "llama.cpp"}
GPU_PREFIXES = {"DCGM_FI_": "dcgm", "perfcore_gpu_": "nvml"}
# Some exporters (Ray) may not use a colon.
COLONS = ("vllm", "sglang", "llamacpp")


@dataclass(frozen=True)
class Place:
    """A metric's name, labels that it must have, and what its values are multiplied with.

    `most` names a label whose values are stages of one request or copies of one device: the largest counts, not the
    sum.
    """

    name: str
    labels: tuple[tuple[str, str], ...] = ()
    factor: float = 1.0
    most: str = ""


def places(*names: str, factor: float = 1.0) -> tuple[Place, ...]:
    return tuple(Place(name, factor=factor) for name in names)


def trt(request_type: str) -> Place:
    return Place("nv_trt_llm_request_metrics", (("request_type", request_type),))


COUNTERS: dict[str, tuple[Place, ...]] = {
    # Finished ones. Triton counts a request at each model that it passes through.
    "requests": (
        *places("vllm:request_success", "sglang:num_requests", "tgi_request_success"),
        Place("nv_inference_request_success", most="model"),
    ),
    "input_tokens": places(
        "vllm:prompt_tokens", "sglang:prompt_tokens", "tgi_request_input_length_sum", "llamacpp:prompt_tokens"
    ),
    "output_tokens": places(
        "vllm:generation_tokens",
        "sglang:generation_tokens",
        "tgi_request_generated_tokens_sum",
        "llamacpp:tokens_predicted",
    ),
    "preemptions": places("vllm:num_preemptions", "sglang:num_retracted_requests"),
    "prefix_queries": places("vllm:prefix_cache_queries", "vllm:gpu_prefix_cache_queries", "sglang:prompt_tokens"),
    "prefix_hits": places("vllm:prefix_cache_hits", "vllm:gpu_prefix_cache_hits", "sglang:cached_tokens"),
    "drafts": places("vllm:spec_decode_num_drafts"),
    "draft_tokens": places("vllm:spec_decode_num_draft_tokens"),
    "accepted_tokens": places("vllm:spec_decode_num_accepted_tokens"),
}
ACCEPTED_BY_POSITION = "vllm:spec_decode_num_accepted_tokens_per_pos"
POSITION = "position"

GAUGES: dict[str, tuple[Place, ...]] = {
    "running": (
        *places("vllm:num_requests_running", "sglang:num_running_reqs", "tgi_batch_current_size"),
        *places("llamacpp:requests_processing"),
        trt("scheduled"),
    ),
    "waiting": (
        *places("vllm:num_requests_waiting", "sglang:num_queue_reqs", "tgi_queue_size", "llamacpp:requests_deferred"),
        trt("waiting"),
        Place("nv_inference_pending_request_count", most="model"),
    ),
}
# Of each place one value between 0 and 1: they are averaged, not summed.
SHARES: dict[str, tuple[Place, ...]] = {
    "kv_usage": (
        *places("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "sglang:token_usage"),
        *places("llamacpp:kv_cache_usage_ratio"),
        Place("nv_trt_llm_kv_cache_block_metrics", (("kv_cache_block_type", "fraction"),)),
    ),
    "prefix_hit_rate": places("sglang:cache_hit_rate"),
    "acceptance_length": places("sglang:spec_accept_length"),
    "acceptance_rate": places("sglang:spec_accept_rate"),
}

# Histograms; factors make milliseconds.
HISTOGRAMS: dict[str, tuple[Place, ...]] = {
    "ttft_ms": (
        *places("vllm:time_to_first_token_seconds", "sglang:time_to_first_token_seconds", factor=1e3),
        Place("nv_inference_first_response_histogram_ms"),
    ),
    "e2el_ms": places(
        "vllm:e2e_request_latency_seconds",
        "sglang:e2e_request_latency_seconds",
        "tgi_request_duration",
        factor=1e3,
    ),
    "itl_ms": places(
        "vllm:inter_token_latency_seconds",
        "vllm:time_per_output_token_seconds",
        "sglang:inter_token_latency_seconds",
        "sglang:time_per_output_token_seconds",
        factor=1e3,
    ),
    "queue_ms": places(
        "vllm:request_queue_time_seconds", "sglang:queue_time_seconds", "tgi_request_queue_duration", factor=1e3
    ),
    "prefill_ms": places("vllm:request_prefill_time_seconds", factor=1e3),
    "decode_ms": places("vllm:request_decode_time_seconds", factor=1e3),
}
# A sum and a count of their own instead of a histogram: means alone, those of the slowest model.
MEANS: dict[str, tuple[Place, Place]] = {
    "e2el_ms": (
        Place("nv_inference_request_duration_us", factor=1e-3, most="model"),
        Place("nv_inference_request_success", most="model"),
    ),
    "queue_ms": (
        Place("nv_inference_queue_duration_us", factor=1e-3, most="model"),
        Place("nv_inference_request_success", most="model"),
    ),
}

# Of one device each. Sources in the order in which they are preferred where several know a device.
GPU: dict[str, dict[str, Place]] = {
    "nvml": {
        "utilization": Place("perfcore_gpu_utilization"),
        "memory_bytes": Place("perfcore_gpu_memory_used_bytes"),
        "power_w": Place("perfcore_gpu_power_watts"),
        "energy_j": Place("perfcore_gpu_energy_joules_total"),
    },
    "dcgm": {
        "utilization": Place("DCGM_FI_DEV_GPU_UTIL", factor=1e-2),
        "memory_bytes": Place("DCGM_FI_DEV_FB_USED", factor=float(1 << 20)),
        "power_w": Place("DCGM_FI_DEV_POWER_USAGE"),
        "energy_j": Place("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", factor=1e-3),
    },
    "triton": {
        "utilization": Place("nv_gpu_utilization"),
        "memory_bytes": Place("nv_gpu_memory_used_bytes"),
        "power_w": Place("nv_gpu_power_usage"),
        "energy_j": Place("nv_energy_consumption"),
    },
}
DEVICE_LABELS = ("uuid", "UUID", "gpu_uuid")

# Workers that hold parts of one model tell the same numbers each; replicas (dp_rank, engine) tell their own.
PARTS = ("tp_rank", "pp_rank", "moe_ep_rank")


def canonical(name: str) -> str:
    """A metric's name with the colon that its server gives it."""
    for prefix in COLONS:
        if name.startswith(f"{prefix}_"):
            return f"{prefix}:{name[len(prefix) + 1 :]}"
    return name


def recognised(name: str) -> bool:
    """Whether a metric belongs to a server or an exporter that is known here."""
    return canonical(name).startswith((*PREFIXES, *GPU_PREFIXES))


def kind(names: set[str]) -> str:
    """The servers that have these metrics, joined by +, or `other`."""
    known = {**PREFIXES, **GPU_PREFIXES}
    found = dict.fromkeys(word for prefix, word in known.items() for name in names if name.startswith(prefix))
    return "+".join(found) or "other"
