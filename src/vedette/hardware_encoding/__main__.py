"""``python -m vedette.hardware_encoding``: try every way to encode that this device seems to have, and print JSON."""

import json
import sys

from vedette.hardware_encoding import candidates, prove

if __name__ == "__main__":
    sys.stdout.write(json.dumps({way.key: prove(way).refusal or "works" for way in candidates()}) + "\n")
