"""Judgement engines behind the one Protocol of `desk.classification`: Mistral's models and a local one."""
