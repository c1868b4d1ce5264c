"""The account's status, with the background's own thread in every process of two instances."""

from tests.torture.world import LINKS, World, until


def test_a_link_made_at_one_instance_is_soon_known_as_active_at_the_other():
    with World(instances=2, processes=2) as world:
        (event,) = world.events(1)
        answer = world.link(event, world.code())
        path = f"{LINKS}/{answer.json['data']['id']}"

        def statuses():
            found = [world.ask("GET", path).json["data"]["attributes"] for _ in world.services]
            return [each["account-status"] for each in found]

        assert until(lambda: statuses() == ["active", "active"])
