"""Starting, and what a process weighs."""

from statistics import median

from benchmarks.results import Result
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
    ours, theirs = (median(column) for column in zip(*pairs, strict=True))
    return Result(
        "import to first answer, over the floor's",
        [ours / theirs for ours, theirs in pairs],
        4.0,
        2.5,
        detail=f"service {ours:.2f}, floor {theirs:.2f} s",
    )


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
