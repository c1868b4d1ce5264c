"""Starting, and what a process weighs."""

from benchmarks.load import ask_for_everything
from benchmarks.results import Result, compared
from benchmarks.servers import Floor, Measured
from benchmarks.world import World

MORE = 20_000


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
    return compared("import to first answer, over the floor's", pairs, 3.2, 2.5, unit="s")


def weigh(service: Measured) -> Result:
    """Say what each worker weighs now."""
    return Result(
        "resident memory per process after the run",
        service.megabytes(),
        120,
        100,
        unit="MB",
        detail=f"{len(service.workers)} processes",
    )


def measure_growth(service: Measured, world: World) -> Result:
    """Say what each worker weighs more after many requests of all kinds."""
    ask_for_everything(service, world, MORE // 10)  # so that each kind has filled its caches
    workers, before = service.workers, service.megabytes()
    statuses = ask_for_everything(service, world, MORE)
    after = service.megabytes()
    if service.workers != workers:
        raise RuntimeError("a worker was replaced")
    return Result(
        f"memory that {MORE} further requests of all kinds add to a process",
        [now - then for now, then in zip(after, before, strict=True)],
        5,
        2,
        unit="MB",
        digits=1,
        detail=f"{max(before):.0f} MB before; answers {statuses}",
    )
