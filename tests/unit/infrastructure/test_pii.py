from __future__ import annotations

import base64
from types import SimpleNamespace

import pytest
from django.core.exceptions import FieldError

from domains.users.models import User
from infrastructure.pii import codec
from infrastructure.pii.fields import PersonalJSONField, PersonalTextField
from infrastructure.pii.index import blind_index, normalise_email

NAME = User._meta.get_field("name")
INDEX = User._meta.get_field("email_index")


@pytest.fixture
def sealed(monkeypatch):
    """Encryption, as far as a field can tell: what is stored is not what was said."""
    monkeypatch.setattr(codec, "seal", lambda text: f"sealed:{text[::-1]}")
    monkeypatch.setattr(codec, "unseal", lambda stored: stored.removeprefix("sealed:")[::-1])


def test_every_value_passes_through_the_codec(sealed):
    address = PersonalJSONField(name="address")
    assert NAME.get_prep_value("Ann") == "sealed:nnA"
    assert NAME.from_db_value("sealed:nnA", None, None) == "Ann"
    assert address.get_prep_value({"b": 1, "a": "é"}) == 'sealed:}1:"b","é":"a"{'
    assert address.from_db_value('sealed:}1:"b","é":"a"{', None, None) == {"a": "é", "b": 1}


def test_null_stays_null(sealed):
    assert NAME.get_prep_value(None) is None
    assert NAME.from_db_value(None, None, None) is None


def test_the_length_is_that_of_the_plain_text_and_is_checked_whoever_writes(sealed):
    assert NAME.get_prep_value("x" * 200) == "sealed:" + "x" * 200
    with pytest.raises(ValueError, match=r"User\.name takes 200 characters, not 201"):
        NAME.get_prep_value("x" * 201)


def test_columns_have_no_length_so_that_ciphertext_fits():
    from django.db import connection

    assert NAME.db_type(connection) == "text"


@pytest.mark.parametrize("lookup", ["exact", "iexact", "contains", "in", "gt", "startswith"])
def test_a_personal_field_cannot_be_searched(lookup):
    with pytest.raises(FieldError):
        User.objects.filter(**{f"name__{lookup}": "Ann"})


def test_a_personal_field_can_be_asked_for_null():
    assert "IS NULL" in str(User.objects.filter(name__isnull=True).query)


def test_a_dump_holds_the_plain_value():
    user = User(name="Ann")
    assert NAME.value_to_string(user) == "Ann"

    address = PersonalJSONField()
    address.set_attributes_from_name("address")
    dumped = address.value_to_string(SimpleNamespace(address={"city": "Köln"}))
    assert dumped == '{"city":"Köln"}'
    assert address.to_python(dumped) == {"city": "Köln"}


def test_a_field_is_described_whole_in_migrations():
    _, path, _, options = PersonalTextField(max_length=30, blank=True).deconstruct()
    assert (path, options) == (
        "infrastructure.pii.fields.PersonalTextField",
        {"max_length": 30, "blank": True},
    )
    assert INDEX.deconstruct()[3] == {
        "null": True,
        "of": "email",
        "kind": "email",
    }


@pytest.mark.parametrize("spelling", ["ann@example.com", " Ann@Example.COM ", "ａnn@example.com"])
def test_spellings_of_one_address_have_one_index(spelling):
    assert normalise_email(spelling) == "ann@example.com"
    assert INDEX.index_of(spelling) == blind_index("ann@example.com", kind="email")


def test_an_index_is_an_hmac_with_its_own_key_and_kind(settings):
    index = blind_index("ann@example.com", kind="email")
    assert len(index) == 32
    assert blind_index("ann@example.com", kind="phone") != index
    settings.PII_INDEX_KEY = b"another key that is long enough as well"
    assert blind_index("ann@example.com", kind="email") != index


def test_an_index_is_computed_when_its_row_is_written():
    user = User(email="Ann@example.com")
    assert INDEX.pre_save(user, add=True) == user.email_index == INDEX.index_of("ann@example.com")
    user.email = ""
    assert INDEX.pre_save(user, add=False) is None


def test_an_index_survives_a_dump():
    user = User(email_index=b"\x00\xff")
    dumped = INDEX.value_to_string(user)
    assert dumped == base64.b64encode(b"\x00\xff").decode()
    assert INDEX.to_python(dumped) == b"\x00\xff"
