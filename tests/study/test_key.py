from __future__ import annotations

import json

import pytest

from monai_sr.errors import InputError
from monai_sr.study import read_key


@pytest.mark.parametrize("study", ["preference", "rating"])
def test_a_key_is_read_as_it_was_written(request, study):
    out, key = request.getfixturevalue(study)
    assert read_key(out) == read_key(out / "key.json") == key


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("seed"),
        lambda content: content.update(format="else"),
        lambda content: content.update(design="afc"),
        lambda content: content.update(cases=["a"]),
        lambda content: content.update(readers=5),
        lambda content: content["readers"].reverse(),
        lambda content: content["readers"][0]["trials"].pop(0),
        lambda content: content["readers"][0]["trials"][0].update(shown=["bicubic", "else"]),
        lambda content: content["readers"][0]["trials"][0].update(case=-1),
        lambda content: content["readers"][0]["trials"][0].update(case="one"),
        lambda content: content["readers"][0]["trials"][-1].update(case=9),
    ],
)
def test_a_changed_key_is_refused(preference, tmp_path, change):
    content = json.loads((preference[0] / "key.json").read_text())
    change(content)
    (tmp_path / "key.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="is not the key of a reader study, or was changed"):
        read_key(tmp_path)
