"""Classes by name: of lists and of folders, the ten of VEGAS and any others."""

import pytest

from clapboard.curation.begin import require_class
from clapboard.curation.plan import VEGAS, VEGAS_MIDS, classes_by_mid, classes_by_name
from clapboard.errors import UsageError

NAMES = {"/m/09x0r": "Speech", "/m/07ryjzk": "Slap, smack", "/m/0bt9lr": "Dog"}


def test_the_ten_classes() -> None:
    """Each of the ten has classes of AudioSet with a number, and no number stands for two of them."""
    assert len(VEGAS) == 10
    found = classes_by_mid("Vegas", None, where="list")
    assert list(found) == list(VEGAS)
    assert sorted(mid for mids in found.values() for mid in mids) == sorted(VEGAS_MIDS)
    assert {VEGAS_MIDS[mid] for mid in found["water flowing"]} >= {"Stream", "Waterfall"}
    assert found["dog"] == {"/m/0bt9lr"}


def test_any_other_set_by_name() -> None:
    """Names with commas, numbers, and all that a file names."""
    assert classes_by_mid("slap, smack,dog", NAMES, where="names.csv") == {
        "Slap, smack": {"/m/07ryjzk"},
        "Dog": {"/m/0bt9lr"},
    }
    assert list(classes_by_mid(None, NAMES, where="names.csv")) == list(NAMES.values())
    assert classes_by_mid("/m/0zzz,/m/0bt9lr", None, where="list") == {"/m/0zzz": {"/m/0zzz"}, "Dog": {"/m/0bt9lr"}}


@pytest.mark.parametrize(("said", "names"), [("cat", NAMES), ("Speech", None), (None, None)])
def test_unknown_classes_are_told(said: str | None, names: dict[str, str] | None) -> None:
    """Nobody curates an empty set for a slip of the pen."""
    with pytest.raises(UsageError, match=r"has no class|which classes"):
        classes_by_mid(said, names, where="list.csv")


def test_folders_of_the_preset() -> None:
    """A folder may bear either name of a class, in capitals or not; all others are left out."""
    folders = ["Dog", "snoring", "water flowing", "holidays", "Baby cry, infant cry"]
    assert classes_by_name("vegas", folders, where="clips") == {
        "Baby cry, infant cry": "baby crying",
        "Dog": "dog",
        "snoring": "human snoring",
        "water flowing": "water flowing",
    }
    assert classes_by_name("holidays", folders, where="clips") == {"holidays": "holidays"}
    with pytest.raises(UsageError, match="clips has no folder of the classes of vegas"):
        classes_by_name("vegas", ["holidays"], where="clips")


@pytest.mark.parametrize("name", ["", " dog", "..", ".dog", "a/b", "a\\b", "a\nb", "x" * 61, "a:b", "<b>"])
def test_a_class_can_have_a_folder(name: str) -> None:
    """What is cut lies in a folder of that name, on any system, and never elsewhere."""
    with pytest.raises(UsageError):
        require_class(name)
    require_class("Baby cry, infant cry")
