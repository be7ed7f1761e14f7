"""Jobs for processes on a cluster, which have to find them in a module, and a program that spreads them."""

import json
import os
import signal
import sys
from dataclasses import asdict

from clapboard.batch import on_ray
from clapboard.dataset.pool import Died


def square_or_die(number: int) -> int:
    """The square; a negative number kills the process, zero is a defect."""
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 0:
        raise KeyError("zero")
    return number * number


def main(jobs: list[int]) -> None:
    """Print each number of a job with its result, what was told, and what is in the environment that was not before."""
    on_ray.RETRIES = 1
    before, told = dict(os.environ), list[str]()
    results = [
        (number, asdict(result) if isinstance(result, Died) else result)
        for number, result in on_ray.work(square_or_die, jobs, "local", processes=1, tell=told.append)
    ]
    print(json.dumps({"results": results, "told": told, "left": dict(os.environ.items() - before.items())}))


if __name__ == "__main__":
    import toy_jobs  # by this name the processes find the function

    toy_jobs.main(json.loads(sys.argv[1]))
