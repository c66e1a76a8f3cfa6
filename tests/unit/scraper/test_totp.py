import pytest

from scraper.credentials import Credentials
from scraper.totp import Totp

# The secret and the codes of RFC 6238, appendix B, in base32 and of six digits.
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


class TestTotp:
    @pytest.mark.parametrize(
        "text",
        [
            SECRET,
            "gezd gnbv gy3t qojq gezd gnbv gy3t qojq",
            f"otpauth://totp/Shop:me?secret={SECRET}&issuer=Shop",
        ],
    )
    def test_makes_the_codes_of_the_standard(self, text: str) -> None:
        totp = Totp(text)

        assert totp.take_code(59) == "287082"
        assert totp.take_code(1111111109) == "081804"
        assert totp.secret == SECRET

    def test_takes_digits_and_period_from_the_uri(self) -> None:
        uri = f"otpauth://totp/me?secret={SECRET}&digits=8&period=60"

        assert Totp(uri).take_code(119) == "94287082"

    def test_takes_a_short_secret_that_a_site_has_chosen(self) -> None:
        assert len(Totp("JBSWY3DPEHPK3PXP").take_code(0)) == 6

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "s3cret-s3cret!",
            "SECRET1",
            "A",
            "otpauth://totp/me?secret=s3cret!",
            f"otpauth://hotp/me?secret={SECRET}&counter=1",
            "https://x/?secret=s3cret",
            f"otpauth://totp/me?secret={SECRET}&algorithm=MD5",
            "otpauth://totp/me",
        ],
    )
    def test_rejects_other_texts_without_a_quote(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"^must be a TOTP secret") as failure:
            Totp(text)

        assert failure.value.__cause__ is None
        assert "s3cret" not in str(failure.value)

    def test_waits_for_a_code_that_was_not_used_and_does_not_end_at_once(self) -> None:
        totp = Totp(SECRET)

        assert totp.seconds_to_wait(60) == 0
        assert totp.seconds_to_wait(88) == 2
        totp.take_code(60)
        assert totp.seconds_to_wait(65) == 25
        assert totp.seconds_to_wait(90) == 0


class TestRedact:
    @pytest.mark.parametrize("quote", ["Code 081804 is wrong", "Code 081 804 is wrong"])
    def test_hides_a_code_that_was_typed_a_short_time_ago(
        self, quote: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("time.time", lambda: 1111111200.0)

        assert Credentials("me", "s3cret", Totp(SECRET)).redact(quote) == "Code *** is wrong"

    def test_does_not_quote_the_secret(self) -> None:
        assert Credentials("me", "x1y2z3", Totp(SECRET)).redact(f"Secret {SECRET[3:12]}") == ""
