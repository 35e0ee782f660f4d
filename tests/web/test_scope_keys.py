import copy
import json

from atlas.web.scope_keys import BodyState


def test_a_state_in_a_scope_is_a_str_to_other_frameworks() -> None:
    scope = copy.deepcopy({"atlas.body": BodyState.READ})
    assert scope["atlas.body"] == "read"
    assert json.dumps(scope) == '{"atlas.body": "read"}'
