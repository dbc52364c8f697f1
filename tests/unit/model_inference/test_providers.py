"""Which execution providers are tried, on devices that the tests do not have."""

import pytest
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.providers import ProviderMissing, attempts, candidates, options

TRT, CUDA, VINO, CPU = (f"{name}ExecutionProvider" for name in ("Tensorrt", "CUDA", "OpenVINO", "CPU"))


@pytest.mark.parametrize(
    ("available", "nvidia", "expected"),
    [
        (["AzureExecutionProvider", CPU], False, [CPU]),
        ([TRT, CUDA, CPU], True, [TRT, CUDA, CPU]),
        ([TRT, CUDA, CPU], False, [CPU]),
        ([VINO, CPU], False, [VINO, CPU]),
        ([CUDA, CPU], True, [CUDA, CPU]),
        ([VINO, CUDA, CPU], True, [CUDA, VINO, CPU]),
    ],
)
def test_the_best_that_the_device_has_is_not_tried_first(
    available: list[str], nvidia: bool, expected: list[str]
) -> None:
    assert candidates(["auto"], available, nvidia=nvidia) == expected


def test_a_name_that_is_not_there_is_passed_over_in_silence() -> None:
    assert candidates([CUDA, CPU], [TRT, CUDA, CPU], nvidia=False) == [CUDA, CPU]
    with pytest.raises(ProviderMissing, match=f"has no {CUDA}, only {CPU}: see `providers`"):
        candidates([CUDA], [CPU], nvidia=True)


def test_what_does_not_work_here_keeps_the_next_best_from_being_tried() -> None:
    assert attempts([TRT, CUDA, CPU]) == [[TRT, CUDA, CPU], [CUDA, CPU], [CPU]]
    assert attempts([VINO]) == [[VINO, CPU]]


def test_openvino_changes_scores_by_itself() -> None:
    assert options(VINO, threads=2, cache=None, fp16=False)["precision"] == "FP32"
    assert options(TRT, threads=2, cache=None, fp16=True) == {"trt_fp16_enable": "1"}
    folder = Configuration().engine_folder()
    assert options(TRT, threads=2, cache=folder, fp16=False)["trt_engine_cache_path"] == str(folder)
