import pytest

from infrastructure.database.consistency import positions_of


def test_a_token_names_a_position_per_database():
    assert positions_of("default:16b374d848,orders:ff") == {"default": 0x16B374D848, "orders": 255}


@pytest.mark.parametrize(
    "text", ["", "default", "default:", "default:xyz", "default:1;orders:2", "a:1," * 40 + "a:1"]
)
def test_what_is_no_token_is_refused(text):
    with pytest.raises(ValueError, match="is no consistency token"):
        positions_of(text)
