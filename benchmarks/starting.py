"""Starting, and what a process weighs."""

from benchmarks.results import Result, compared
from benchmarks.servers import Floor, Measured
from benchmarks.world import World


def compare_start(world: World, rounds: int) -> Result:
    """Measure from starting gunicorn to the first answer, service and floor in turns."""
    path = f"/v1/events/{world.first_own}/stripe-authorization"
    pairs = []
    for _ in range(rounds):
        with_service, with_floor = Measured(world.url), Floor(world.url)
        pairs.append(
            (with_service.seconds_to_first_answer(path), with_floor.seconds_to_first_answer(path))
        )
        with_service.kill()
        with_floor.kill()
    return compared("import to first answer, over the floor's", pairs, 4.0, 2.5, unit="s")


def weigh(service: Measured) -> Result:
    """Say what each worker weighs now."""
    return Result(
        "resident memory per process after the run",
        service.megabytes(),
        130,
        100,
        unit="MB",
        detail=f"{len(service.workers)} processes",
    )
