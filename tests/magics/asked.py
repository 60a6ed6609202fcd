"""Who answers when a magic asks for something that is not shown."""

from __future__ import annotations

import getpass

import pytest


class Asked:
    """The answers to come, in order, and what was asked; a question without an answer is nobody there."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.answers: list[str] = []
        self.prompts: list[str] = []
        patch.setattr(getpass, "getpass", self._answer)

    def _answer(self, prompt: str = "", stream: object = None) -> str:
        self.prompts.append(prompt)
        if not self.answers:
            raise EOFError
        return self.answers.pop(0)
