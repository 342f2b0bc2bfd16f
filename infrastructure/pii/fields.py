"""Model fields for personal data.

Every name, e-mail address, phone number and postal address is declared with one of these, from the
first migration on. Their columns are text without a length, able to hold ciphertext; lengths are
checked in Python; nothing can be looked up in them but NULL (`BlindIndexField` finds by equality).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

from django.core import validators
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from infrastructure.pii import codec
from infrastructure.pii.index import blind_index, normalise_email


class PersonalField(models.TextField):  # type: ignore[type-arg]
    """What the personal fields share: the codec, the length, no lookups.

    max_length counts characters of the plain value; a longer one raises ValueError when it is
    written, whoever wrote it.
    """

    max_length: int

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, **kwargs)
        self.validators.append(validators.MaxLengthValidator(max_length))

    def to_text(self, value: Any) -> str:
        return str(value)

    def from_text(self, text: str) -> Any:
        return text

    def get_prep_value(self, value: Any) -> str | None:
        if value is None:
            return None
        text = self.to_text(value)
        if len(text) > self.max_length:
            raise ValueError(
                f"{self.model.__name__}.{self.name} takes {self.max_length} characters, "
                f"not {len(text)}."
            )
        return codec.seal(text)

    def from_db_value(
        self, value: str | None, expression: Any, connection: BaseDatabaseWrapper
    ) -> Any:
        return None if value is None else self.from_text(codec.unseal(value))

    def value_to_string(self, obj: models.Model) -> str:
        """The plain value: whoever may dump a model may read it, and the reader seals it anew."""
        value = self.value_from_object(obj)
        return "" if value is None else self.to_text(value)

    def get_lookup(self, lookup_name: str) -> Any:
        """Only `isnull`: what matched plain text today would match ciphertext never."""
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def get_transform(self, lookup_name: str) -> None:
        return None


class PersonalTextField(PersonalField):
    """A name, a phone number, a line of an address."""


class PersonalEmailField(PersonalField):
    """An e-mail address as its owner writes it. Find it by a BlindIndexField beside it."""

    default_validators = [validators.EmailValidator()]

    def __init__(self, *, max_length: int = 254, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, **kwargs)


class PersonalJSONField(PersonalField):
    """A small structure of personal data, such as a postal address, kept as one sealed text.

    max_length counts the characters of its JSON.
    """

    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def __init__(self, *, max_length: int = 4_000, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, **kwargs)
        self.validators = []

    def to_text(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    def from_text(self, text: str) -> Any:
        return json.loads(text)

    def to_python(self, value: Any) -> Any:
        """Text from a serialised dump or a form; everything else is the structure already."""
        return json.loads(value) if isinstance(value, str) and value else value


NORMALISERS: dict[str, Callable[[str], str]] = {"email": normalise_email}


class BlindIndexField(models.BinaryField):  # type: ignore[type-arg]
    """Equality on a personal field: HMAC-SHA256 over the normalised value of another field.

    It computes itself when the row is written, and is NULL when the other field is empty. A filter
    takes the plain value: `filter(email_index="Ann@Example.com")`.

    of: the name of the personal field.
    kind: how the value is normalised, and the domain that the HMAC is bound to.
    """

    computed = True

    def __init__(self, *, of: str, kind: str, **kwargs: Any) -> None:
        self.of, self.kind = of, kind
        kwargs.setdefault("null", True)
        kwargs.setdefault("editable", False)
        super().__init__(**kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "of": self.of, "kind": self.kind}

    def index_of(self, value: str) -> bytes | None:
        normalised = NORMALISERS[self.kind](value)
        return blind_index(normalised, kind=self.kind) if normalised else None

    def pre_save(self, model_instance: models.Model, add: bool) -> bytes | None:
        index = self.index_of(getattr(model_instance, self.of) or "")
        setattr(model_instance, self.attname, index)
        return index

    def get_prep_value(self, value: Any) -> Any:
        return self.index_of(value) if isinstance(value, str) else super().get_prep_value(value)

    def to_python(self, value: Any) -> Any:
        return base64.b64decode(value) if isinstance(value, str) else value
