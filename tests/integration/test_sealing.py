"""Letters sealed as the policy wants them, with identities from real blocks and certificates from the store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from blocks import Identity, SmimeIdentity, list_blocks
from byreturn.doctor import list_sealing
from desk.errors import BlockError, LetterTrouble
from desk.mail import Address
from desk.policy import Policy, Smime, load_policy
from letters.compose import compose_letter
from letters.render import Rendered
from letters.smime import split_letter
from store.certificates import keep_certificate, list_certificates, read_pems, remove_certificate
from store.memory import Store
from tasks.opening import DESK
from tasks.sealing import Sealer, open_sealer
from tests.acceptance.workers import change_policy
from tests.sealing import DAY, Pair, decrypt_mail, make_key, make_pair, make_root, verify_mail
from tests.stores import NOW

SENDER, OTHER_SENDER = "support@atelier.example", "sales@atelier.example"
READER, COLLEAGUE, STRANGER = "n1@atelier.example", "n2@atelier.example", "lea@ecole.example"


def write_letter(*recipients: str, sender: str = SENDER) -> bytes:
    return compose_letter(
        Rendered("Notes", "Bonjour, voici les notes.", ""),
        message_id="<one@atelier.example>",
        sender=Address("Atelier", sender),
        recipients=recipients or (READER,),
        date=NOW,
        html=False,
    )


def know(store: Store, *addresses: str, ends: datetime | None = None) -> None:
    for one in addresses:
        pair = make_pair(one, ends=ends)
        keep_certificate(store, one, pair.pem, pair.certificate.not_valid_after_utc, datetime.now(UTC))


def is_encrypted(letter: bytes) -> bool:
    return b"enveloped-data" in split_letter(letter)[1].partition(b"\r\n\r\n")[0]


def make_sealer(store: Store, encrypt: Any = "possible", **identities: Identity) -> Sealer:
    return Sealer(store, Smime(sign=bool(identities), encrypt=encrypt), identities)


# --- certificates ---


def test_an_address_has_one_certificate_the_latest(store: Store) -> None:
    assert not keep_certificate(store, "N1@atelier.example", "first", NOW + DAY, NOW)
    assert keep_certificate(store, READER, "second", NOW + 2 * DAY, NOW + DAY)
    (kept,) = list_certificates(store)
    assert (kept.address, kept.added_at, kept.expires_at) == (READER, NOW + DAY, NOW + 2 * DAY)
    assert read_pems(store, ["N1@Atelier.example"], NOW) == {READER: "second"}


def test_certificates_are_listed_by_address_and_removed_once(store: Store) -> None:
    know(store, COLLEAGUE, READER)
    assert [one.address for one in list_certificates(store)] == [READER, COLLEAGUE]
    assert remove_certificate(store, "N1@Atelier.example")
    assert not remove_certificate(store, READER)
    assert [one.address for one in list_certificates(store)] == [COLLEAGUE]


def test_an_expired_certificate_is_none(store: Store) -> None:
    keep_certificate(store, READER, "PEM", NOW, NOW)
    assert read_pems(store, [READER], NOW) == {READER: "PEM"}
    assert read_pems(store, [READER], NOW + timedelta(seconds=1)) == {}


# --- when letters are encrypted ---


@pytest.mark.parametrize(("encrypt", "sealed"), [("never", False), ("possible", True), ("always", True)])
def test_a_letter_is_encrypted_as_the_policy_wants(store: Store, encrypt: str, sealed: bool, tmp_path: Path) -> None:
    know(store, READER)
    letter = write_letter()
    found = make_sealer(store, encrypt).seal(letter, [READER])
    assert is_encrypted(found) is sealed
    if sealed:
        assert decrypt_mail(tmp_path, found, make_pair(READER)).stdout == split_letter(letter)[1]
    else:
        assert found == letter


def test_one_mail_to_several_is_encrypted_to_all_of_them(store: Store, tmp_path: Path) -> None:
    know(store, READER, COLLEAGUE, STRANGER)
    letter = write_letter(READER, COLLEAGUE)
    found = make_sealer(store).seal(letter, [READER, COLLEAGUE.upper()])
    for one in (READER, COLLEAGUE):
        assert decrypt_mail(tmp_path, found, make_pair(one)).stdout == split_letter(letter)[1]
    assert decrypt_mail(tmp_path, found, make_pair(STRANGER)).returncode != 0


@pytest.mark.parametrize("known", [(), (READER,)], ids=["none", "one of two"])
def test_where_one_has_no_certificate_it_goes_as_it_is_or_not_at_all(store: Store, known: tuple[str, ...]) -> None:
    know(store, *known)
    letter = write_letter(READER, COLLEAGUE)
    assert make_sealer(store).seal(letter, [READER, COLLEAGUE]) == letter
    with pytest.raises(LetterTrouble, match="byreturn certificates add") as refused:
        make_sealer(store, "always").seal(letter, [READER, COLLEAGUE])
    assert refused.value.code == "no-certificate"
    assert "@" not in str(refused.value)


def test_an_expired_certificate_keeps_a_letter_from_being_encrypted(store: Store) -> None:
    know(store, READER, ends=datetime.now(UTC) - timedelta(minutes=1))
    assert make_sealer(store).seal(write_letter(), [READER]) == write_letter()
    with pytest.raises(LetterTrouble):
        make_sealer(store, "always").seal(write_letter(), [READER])


def test_it_is_signed_before_it_is_encrypted(store: Store, tmp_path: Path) -> None:
    know(store, READER)
    pair = make_pair(SENDER)
    sealer = make_sealer(store, byreturn=Identity(make_key(SENDER), pair.certificate))
    opened = decrypt_mail(tmp_path, sealer.seal(write_letter(), [READER]), make_pair(READER)).stdout
    assert verify_mail(tmp_path, opened).stdout == split_letter(write_letter())[1]


# --- identities ---


def save_identity(pair: Pair, name: str = DESK, passphrase: str = "", chain: str = "", key: str = "") -> SmimeIdentity:
    block = SmimeIdentity(
        certificate=SecretStr(pair.pem + chain),
        private_key=SecretStr(key or pair.write_key(passphrase)),
        passphrase=SecretStr(passphrase),
    )
    block.save(name, overwrite=True)
    return block


@pytest.fixture
def blocks(prefect_harness: None) -> Iterator[None]:
    """No identity before and none after."""
    yield
    for name in list_blocks(SmimeIdentity):
        SmimeIdentity.delete(name)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the operator hears: there is no channel here."""
    heard: list[str] = []

    def hear(subject: str, body: str, key: str) -> bool:
        heard.append(subject)
        return True

    monkeypatch.setattr("tasks.alarm._send_alert", hear)
    return heard


def read(sign: bool = True, encrypt: str = "never") -> Policy:
    plain = Path("policy.yaml").read_text(encoding="utf-8")
    wanted = f"smime: {{sign: {str(sign).lower()}, encrypt: {encrypt}}}"
    assert "smime: {sign: false, encrypt: never}" in plain
    return load_policy(plain.replace("smime: {sign: false, encrypt: never}", wanted))


def test_nothing_is_loaded_or_changed_where_nothing_is_sealed(store: Store) -> None:
    assert open_sealer(store, read(sign=False)).seal(b"whatever this is", [READER]) == b"whatever this is"


def test_letters_are_signed_by_the_desks_identity(store: Store, blocks: None, told: list[str], tmp_path: Path) -> None:
    save_identity(make_pair(SENDER), passphrase="correct horse", chain=make_root().pem)
    found = open_sealer(store, read()).seal(write_letter(), [READER])
    verified = verify_mail(tmp_path, found)
    assert (verified.returncode, verified.stdout) == (0, split_letter(write_letter())[1])
    assert told == []


def test_an_address_with_an_identity_of_its_own_signs_by_it(store: Store, blocks: None, told: list[str]) -> None:
    save_identity(make_pair(SENDER))
    save_identity(make_pair(OTHER_SENDER), "sales")
    sealer = open_sealer(store, read())
    for sender, signer in ((SENDER, SENDER), (OTHER_SENDER, OTHER_SENDER), ("else@atelier.example", SENDER)):
        letter = write_letter(sender=sender)
        wanted = sealer.identities[signer]
        alone = Sealer(store, Smime(sign=True), {DESK: wanted})
        assert len(sealer.seal(letter, [READER])) == len(alone.seal(letter, [READER]))
        assert sealer.choose_signer(letter) == wanted


def test_without_an_identity_no_letter_goes_unsigned(store: Store, blocks: None) -> None:
    with pytest.raises(BlockError, match="byreturn-smime-identity/byreturn does not exist"):
        open_sealer(store, read())


def test_an_identity_that_has_ended_signs_nothing(store: Store, blocks: None, told: list[str]) -> None:
    save_identity(make_pair(SENDER, ends=datetime.now(UTC) - DAY))
    with pytest.raises(BlockError, match="not valid now"):
        open_sealer(store, read())
    assert told == ["secret:byreturn-smime-identity/byreturn: expired"]


def test_the_operator_hears_in_time_that_an_identity_ends(store: Store, blocks: None, told: list[str]) -> None:
    save_identity(make_pair(SENDER, ends=datetime.now(UTC) + 5 * DAY + timedelta(minutes=5)))
    for _ in range(2):
        open_sealer(store, read())
    assert told == ["secret:byreturn-smime-identity/byreturn: expires-in-5-days"]
    save_identity(make_pair(SENDER))
    open_sealer(store, read())
    assert told[1:] == ["secret:byreturn-smime-identity/byreturn: well again"]


# --- the block ---


def test_the_check_says_whose_it_is_and_until_when() -> None:
    pair = make_pair(SENDER)
    block = SmimeIdentity(certificate=SecretStr(pair.pem), private_key=SecretStr(pair.write_key()))
    assert block.check().detail == SOUND_CHECK
    assert block.secret_expires == pair.certificate.not_valid_after_utc.date()


def make_block(pair: Pair, key: str = "", passphrase: str = "") -> SmimeIdentity:
    return SmimeIdentity(
        certificate=SecretStr(pair.pem),
        private_key=SecretStr(key or pair.write_key()),
        passphrase=SecretStr(passphrase),
    )


SOUND = make_pair(SENDER)
SOUND_CHECK = f"signs as {SENDER} until {SOUND.certificate.not_valid_after_utc.date()}"


@pytest.mark.parametrize(
    ("block", "told"),
    [
        (make_block(SOUND, make_pair(READER).write_key()), "is not the certificate's"),
        (make_block(SOUND, "no key"), "can't be read"),
        (make_block(SOUND, SOUND.write_key("right"), "wrong"), "can't be read"),
        (make_block(SOUND, SOUND.write_key("right")), "can't be read"),
        (make_block(SOUND, SOUND.write_key(), "needless"), "can't be read"),
        (make_block(make_pair(SENDER, ends=datetime.now(UTC) - DAY)), "it has expired"),
        (make_block(make_pair(SENDER, uses=("key_encipherment",))), "it is not for signing"),
        (make_block(make_pair(SENDER, key=make_key("short", 1024))), "2048 bits"),
        (make_block(make_root()), "another address"),
        (SmimeIdentity(certificate=SecretStr(""), private_key=SecretStr("")), "no readable certificate"),
    ],
    ids=["another's key", "no key", "wrong passphrase", "no passphrase", "needless passphrase", "expired",
         "not for signing", "short key", "nobody's", "empty"],
)  # fmt: skip
def test_the_check_tells_what_is_wrong_and_repeats_no_secret(block: SmimeIdentity, told: str) -> None:
    with pytest.raises(BlockError, match=told) as refused:
        block.check()
    assert "BEGIN" not in str(refused.value).replace("BEGIN and END", "")
    assert "right" not in str(refused.value)


def test_a_key_of_another_kind_is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    pair = make_pair(SENDER, key=ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(BlockError, match="no RSA key"):
        make_block(pair).check()


# --- the doctor ---


def test_the_doctor_looks_at_identities_where_letters_are_signed(
    blocks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_identity(SOUND, "sales")
    assert list_sealing() == []
    file = change_policy(tmp_path, ("smime: {sign: false", "smime: {sign: true"))
    monkeypatch.setenv("BYRETURN_POLICY", str(file))
    (desk, look), (sales, look_too) = list_sealing()
    assert (desk, sales) == ("S/MIME identity byreturn", "S/MIME identity sales")
    with pytest.raises(BlockError, match="does not exist"):
        look()
    assert look_too() == SOUND_CHECK


def test_what_is_saved_hides_its_secrets(blocks: None) -> None:
    block = save_identity(SOUND, passphrase="correct horse")
    assert "PRIVATE KEY" not in str(block)
    assert "correct horse" not in repr(block)
