from __future__ import annotations

import threading
import time

import pytest
from django.contrib.auth import hashers
from django.core.exceptions import ValidationError

from infrastructure.auth import passwords
from infrastructure.auth.errors import HashingBusy

ARGON = ["infrastructure.auth.passwords.Argon2idHasher"]


def test_passwords_are_hashed_by_argon2id_with_46_mib_one_pass_one_lane(settings):
    settings.PASSWORD_HASHERS = ARGON
    stored = passwords.hash_of("a lantern on the water")
    assert stored.startswith("argon2$argon2id$v=19$m=47104,t=1,p=1$")
    assert passwords.matches("a lantern on the water", stored) is True
    assert passwords.matches("a lantern on the wall", stored) is False
    assert passwords.is_outdated(stored) is False


def test_a_hash_with_other_parameters_is_outdated(settings):
    settings.PASSWORD_HASHERS = [*ARGON, "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    assert passwords.is_outdated(hashers.make_password("x", hasher="pbkdf2_sha256")) is True
    other = passwords.hash_of("a lantern on the water").replace("t=1", "t=2")
    assert passwords.is_outdated(other) is True


def test_without_a_stored_hash_the_same_work_is_done_and_the_answer_is_no(settings, monkeypatch):
    settings.PASSWORD_HASHERS = ARGON
    passwords.matches("to have the hash of nothing ready", None)
    verified = []
    verify = passwords.Argon2idHasher.verify
    monkeypatch.setattr(
        passwords.Argon2idHasher,
        "verify",
        lambda self, password, encoded: verified.append(encoded) or verify(self, password, encoded),
    )
    assert passwords.matches("a lantern on the water", None) is False
    assert passwords.matches("\0" * passwords.MIN_LENGTH, None) is False
    assert [encoded.split("$")[3] for encoded in verified] == ["m=47104,t=1,p=1"] * 2


def test_no_more_hashes_are_computed_at_once_than_are_allowed(settings, monkeypatch):
    settings.PASSWORD_HASH_CONCURRENCY = 2
    running, most, lock = 0, 0, threading.Lock()

    def slow(password):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return "hash"

    monkeypatch.setattr(hashers, "make_password", slow)
    threads = [threading.Thread(target=passwords.hash_of, args=("x",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_who_waits_too_long_for_a_hash_is_told_to_come_back(settings, monkeypatch):
    settings.PASSWORD_HASH_CONCURRENCY = 1
    monkeypatch.setattr(passwords, "SECONDS_TO_WAIT", 0.01)
    with passwords._room(), pytest.raises(HashingBusy) as refusal:
        passwords.hash_of("x")
    assert refusal.value.status == 503
    assert refusal.value.headers == {"Retry-After": "1"}


@pytest.mark.parametrize(("length", "fits"), [(7, False), (8, True), (128, True), (129, False)])
def test_passwords_have_8_to_128_characters(length, fits):
    validator = passwords.LengthValidator()
    if fits:
        validator.validate("x" * length)
    else:
        with pytest.raises(ValidationError):
            validator.validate("x" * length)
