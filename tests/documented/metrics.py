"""Metrics of servers in the form of their documentation; the numbers are made up, Triton's were captured.

vLLM: docs.vllm.ai, Production Metrics. SGLang: docs.sglang.io, Production Metrics. TGI: its reference of metrics.
llama.cpp: tools/server/README.md. DCGM: the exporter's README.
"""

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0",model_name="m"}} {running}.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{{engine="0",model_name="m"}} {waiting}.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{{engine="0",model_name="m"}} {kv}
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{{engine="0",model_name="m"}} {queries}.0
vllm:prefix_cache_queries_created{{engine="0",model_name="m"}} 1.7e+09
vllm:prefix_cache_hits_total{{engine="0",model_name="m"}} {hits}.0
vllm:num_preemptions_total{{engine="0",model_name="m"}} {preemptions}.0
vllm:prompt_tokens_total{{engine="0",model_name="m"}} {input}.0
vllm:generation_tokens_total{{engine="0",model_name="m"}} {output}.0
# TYPE vllm:request_success_total counter
vllm:request_success_total{{engine="0",finished_reason="stop",model_name="m"}} {stop}.0
vllm:request_success_total{{engine="0",finished_reason="length",model_name="m"}} {length}.0
vllm:spec_decode_num_drafts_total{{engine="0",model_name="m"}} {drafts}.0
vllm:spec_decode_num_draft_tokens_total{{engine="0",model_name="m"}} {drafted}.0
vllm:spec_decode_num_accepted_tokens_total{{engine="0",model_name="m"}} {accepted}.0
vllm:spec_decode_num_accepted_tokens_per_pos_total{{engine="0",model_name="m",position="0"}} {first}.0
vllm:spec_decode_num_accepted_tokens_per_pos_total{{engine="0",model_name="m",position="1"}} {second}.0
# TYPE vllm:time_to_first_token_seconds histogram
vllm:time_to_first_token_seconds_bucket{{engine="0",le="0.1",model_name="m"}} {fast}.0
vllm:time_to_first_token_seconds_bucket{{engine="0",le="0.25",model_name="m"}} {all}.0
vllm:time_to_first_token_seconds_bucket{{engine="0",le="+Inf",model_name="m"}} {all}.0
vllm:time_to_first_token_seconds_count{{engine="0",model_name="m"}} {all}.0
vllm:time_to_first_token_seconds_sum{{engine="0",model_name="m"}} {ttft}
vllm:request_queue_time_seconds_bucket{{engine="0",le="0.3",model_name="m"}} {all}.0
vllm:request_queue_time_seconds_bucket{{engine="0",le="+Inf",model_name="m"}} {all}.0
vllm:request_queue_time_seconds_count{{engine="0",model_name="m"}} {all}.0
vllm:request_queue_time_seconds_sum{{engine="0",model_name="m"}} {queue}
"""

START = {
    "running": 2,
    "waiting": 0,
    "kv": 0.25,
    "queries": 5000,
    "hits": 100,
    "preemptions": 3,
    "input": 5000,
    "output": 900,
    "stop": 40,
    "length": 10,
    "drafts": 300,
    "drafted": 600,
    "accepted": 550,
    "first": 290,
    "second": 260,
    "fast": 50,
    "all": 50,
    "ttft": 4.0,
    "queue": 0.5,
}
# What the counters rise by in a window, the gauges' values at its end.
RISE = {
    "running": 2,
    "waiting": 4,
    "kv": 0.5,
    "queries": 2000,
    "hits": 500,
    "preemptions": 1,
    "input": 2000,
    "output": 1000,
    "stop": 18,
    "length": 2,
    "drafts": 400,
    "drafted": 800,
    "accepted": 600,
    "first": 360,
    "second": 240,
    "fast": 10,
    "all": 20,
    "ttft": 2.4,
    "queue": 0.4,
}


def vllm(times: float = 1, **more: float) -> str:
    """vLLM's text after so many windows; `more` replaces values."""
    counted = {name: START[name] + times * RISE[name] for name in START}
    plain = {name: int(value) if name not in ("kv", "ttft", "queue") else value for name, value in counted.items()}
    return VLLM.format(**{**plain, **more})


SGLANG = """\
# HELP sglang:num_running_reqs The number of running requests.
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{{model_name="m",tp_rank="0",pp_rank="0"}} 6.0
sglang:num_running_reqs{{model_name="m",tp_rank="1",pp_rank="0"}} 6.0
sglang:num_queue_reqs{{model_name="m",tp_rank="0",pp_rank="0"}} 1.0
sglang:token_usage{{model_name="m",tp_rank="0",pp_rank="0"}} 0.28
sglang:spec_accept_length{{model_name="m",tp_rank="0",pp_rank="0"}} 2.5
# TYPE sglang:prompt_tokens_total counter
sglang:prompt_tokens_total{{model_name="m"}} {input}
sglang:generation_tokens_total{{model_name="m"}} {output}
sglang:cached_tokens_total{{cache_source="device",model_name="m"}} {cached}
sglang:num_requests_total{{model_name="m"}} {requests}
sglang:time_to_first_token_seconds_sum{{model_name="m"}} {ttft}
sglang:time_to_first_token_seconds_bucket{{le="0.1",model_name="m"}} {requests}
sglang:time_to_first_token_seconds_bucket{{le="+Inf",model_name="m"}} {requests}
sglang:time_to_first_token_seconds_count{{model_name="m"}} {requests}
"""

TGI = """\
# TYPE tgi_request_success counter
tgi_request_success{{method="generate_stream"}} {requests}
# TYPE tgi_queue_size gauge
tgi_queue_size 3
# TYPE tgi_batch_current_size gauge
tgi_batch_current_size 8
# TYPE tgi_request_queue_duration histogram
tgi_request_queue_duration_bucket{{le="0.1"}} {requests}
tgi_request_queue_duration_bucket{{le="+Inf"}} {requests}
tgi_request_queue_duration_sum {queue}
tgi_request_queue_duration_count {requests}
# TYPE tgi_request_generated_tokens histogram
tgi_request_generated_tokens_bucket{{le="+Inf"}} {requests}
tgi_request_generated_tokens_sum {output}
tgi_request_generated_tokens_count {requests}
"""

LLAMACPP = """\
# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total {input}
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total {output}
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 4
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 2
"""

TRITON = """\
# TYPE nv_inference_request_success counter
nv_inference_request_success{{model="ensemble",version="1"}} {requests}
nv_inference_request_success{{model="tensorrt_llm",version="1"}} {requests}
# TYPE nv_inference_request_duration_us counter
nv_inference_request_duration_us{{model="ensemble",version="1"}} {whole}
nv_inference_request_duration_us{{model="tensorrt_llm",version="1"}} {part}
nv_inference_queue_duration_us{{model="ensemble",version="1"}} 12
nv_inference_queue_duration_us{{model="tensorrt_llm",version="1"}} {queue}
# TYPE nv_inference_pending_request_count gauge
nv_inference_pending_request_count{{model="ensemble",version="1"}} 0
nv_inference_pending_request_count{{model="tensorrt_llm",version="1"}} 5
"""

DCGM = """\
# HELP DCGM_FI_DEV_POWER_USAGE Power draw (in W).
# TYPE DCGM_FI_DEV_POWER_USAGE gauge
DCGM_FI_DEV_POWER_USAGE{{gpu="0",UUID="GPU-1",device="nvidia0",modelName="H200",Hostname="n"}} {power}
DCGM_FI_DEV_GPU_UTIL{{gpu="0",UUID="GPU-1",device="nvidia0",modelName="H200",Hostname="n"}} {busy}
DCGM_FI_DEV_FB_USED{{gpu="0",UUID="GPU-1",device="nvidia0",modelName="H200",Hostname="n"}} 1024
DCGM_FI_DEV_POWER_USAGE{{gpu="1",UUID="GPU-2",device="nvidia1",modelName="H200",Hostname="n"}} 70
DCGM_FI_DEV_GPU_UTIL{{gpu="1",UUID="GPU-2",device="nvidia1",modelName="H200",Hostname="n"}} 0
"""
METER = """\
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu="0",UUID="GPU-1",device="nvidia0",modelName="H200",Hostname="n"}} {energy}
"""
