from atlas import Route
from atlas.web.call_site import caller_place


def test_the_place_is_outside_of_the_package() -> None:
    place = caller_place()
    assert place == f"{__file__}:6"
    assert Route("/", lambda request: None).place == f"{__file__}:8"
