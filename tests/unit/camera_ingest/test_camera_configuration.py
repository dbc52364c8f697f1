"""What a deployment may set, and what is said when it sets something else."""

import pytest
from vedette_camera_ingest.configuration import ConfigurationError, read


def test_what_the_recipe_sets_is_refused() -> None:
    given: dict[str, object] = {
        "logLevel": "DEBUG",
        "hardwareDecoding": "off",
        "accessControl": {"aws.greengrass.ipc.pubsub": {}},
    }
    assert read(given).hardware_decoding == "off"
    assert read({}).hardware_decoding == "auto"


@pytest.mark.parametrize(
    ("given", "words"),
    [({"hardwareDecoding": "nvdec"}, "`hardwareDecoding`.*'nvdec'.*'auto' or 'off'"), ({"hardware": 1}, "`hardware`")],
)
def test_a_mistake_is_passed_over(given: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        read(given)
