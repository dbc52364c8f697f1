"""Secrets read from AWS Secrets Manager with the device's role; what was read serves while there is no connection."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from vedette.aws_calls import AwsCaller, AwsError, NoCredentials, OutcomeUnknown, Rejected, Unreachable
from vedette.secrets.cache import SecretCache

logger = logging.getLogger(__name__)

FRESH_S: Final = 300.0
"""AWS is not asked again sooner, unless the login was refused: each question costs money."""
ANSWER_S: Final = 8.0
"""How long a caller waits for AWS; the question itself may take longer, its answer serves the next caller."""
AGAIN_S: Final = 10.0
"""Without a connection AWS is asked so often, whoever wants which secret."""
_NO_CONNECTION: Final = (Unreachable, OutcomeUnknown, NoCredentials)


@dataclass
class _Question:
    done: threading.Event = field(default_factory=threading.Event)
    text: str | None = None
    error: AwsError | None = None


class CloudSecrets:
    """May be used by several threads; the questions go to AWS one after the other."""

    def __init__(
        self,
        caller: AwsCaller,
        cache: SecretCache | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        answer_s: float = ANSWER_S,
    ) -> None:
        """``cache`` keeps what was read over a restart."""
        self._caller = caller
        self._cache = cache
        self._clock = clock
        self._answer_s = answer_s
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._held: dict[str, tuple[str, float]] = {}
        self._open: dict[str, _Question] = {}
        self._down: tuple[AwsError, float] | None = None

    def get(self, secret_id: str, *, fresh: bool) -> str:
        """Return a secret's text.

        :raises AwsError: when AWS does not give it, and it was not read lately either
        """
        with self._lock:
            held = self._held.get(secret_id)
            if held is not None and not fresh and self._clock() - held[1] < FRESH_S:
                return held[0]
            error = self._down[0] if self._down is not None and self._clock() < self._down[1] else None
            question = None if error is not None else self._ask(secret_id)
        if question is not None:
            question.done.wait(self._answer_s)
            if question.text is not None:
                return question.text
            error = question.error or Unreachable(f"AWS has not answered within {self._answer_s:g} s")
        if not isinstance(error, _NO_CONNECTION):
            raise error or Unreachable("AWS was not asked")
        kept = held[0] if held is not None else self._kept(secret_id)
        if kept is None:
            raise error
        logger.warning("secret %s: what was read before is used: %s", secret_id, error)
        return kept

    def _ask(self, secret_id: str) -> _Question:
        question = self._open.get(secret_id)
        if question is None:
            question = self._open[secret_id] = _Question()
            threading.Thread(
                target=self._answer, args=(secret_id, question), name=f"secret {secret_id}", daemon=True
            ).start()
        return question

    def _answer(self, secret_id: str, question: _Question) -> None:
        try:
            with self._asking:
                question.text = self._call(secret_id)
        except AwsError as error:
            question.error = error
        finally:
            with self._lock:
                self._open.pop(secret_id, None)
                if question.text is not None:
                    self._held[secret_id] = (question.text, self._clock())
                    self._down = None
                elif isinstance(question.error, _NO_CONNECTION):
                    self._down = (question.error, self._clock() + AGAIN_S)
            question.done.set()
        if question.text is not None and self._cache is not None:
            with self._asking:
                self._cache.store(secret_id, question.text)

    def _call(self, secret_id: str) -> str:
        answer = self._caller.call_json(
            "secretsmanager:GetSecretValue", "secretsmanager.GetSecretValue", {"SecretId": secret_id}
        )
        text = answer.get("SecretString")
        if not isinstance(text, str):
            raise Rejected(f"secret {secret_id} holds bytes, expected text (SecretString)")
        return text

    def _kept(self, secret_id: str) -> str | None:
        return None if self._cache is None else self._cache.load(secret_id)
