"""Objects one after the other: order, failures, the time left, and page and table after each."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from outcomes import done, failed

from recon3d.batch.jobs import Job, Outcome, outcome_of
from recon3d.batch.objects import BatchObject
from recon3d.batch.pace import Pace, in_words
from recon3d.batch.runner import BatchRun, Finished, Recipe, Started
from recon3d.batch.table import write_csv, write_page
from recon3d.config import Config
from recon3d.core.errors import Cancelled, InputError, TooFewPhotosPlacedError
from recon3d.report.page import first_still
from recon3d.results import Inputs
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken


def recipe(results: Path) -> Recipe:
    return Recipe(results=results, formats=("glb", "ply"), config=Config(), runtime=Runtime())


def objects(*names: str) -> list[BatchObject]:
    return [
        BatchObject(name=name, inputs=Inputs(photos=Path("in", name)), photos=10) for name in names
    ]


def batch(results: Path, steps: list[Started | Finished], token: CancelToken) -> BatchRun:
    """One in which the jug fails and stop stops."""

    def attempt(job: Job) -> Outcome:
        if job.name == "stop":
            token.cancel()
            raise Cancelled
        return failed() if job.name == "jug" else done(job.name)

    return BatchRun(recipe(results), attempt, steps.append)


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    steps: list[Started | Finished] = []
    broken = BatchObject(
        name="empty",
        inputs=Inputs(photos=Path("in")),
        photos=0,
        problem=InputError("There are no photos.", hint="Take some."),
    )
    run = batch(tmp_path, steps, CancelToken())
    run.run([*objects("jug"), broken, *objects("vase")], CancelToken())
    assert [(each.object, each.failed) for each in run.outcomes] == [
        ("empty", True), ("jug", True), ("vase", False),
    ]  # fmt: skip
    assert run.outcomes[0].hint == "Take some."
    assert [(step.number, step.total) for step in steps] == [(n, 3) for n in (1, 1, 2, 2, 3, 3)]


def test_a_stopped_batch_keeps_what_is_done_and_the_page_says_what_waits(tmp_path: Path) -> None:
    token, steps = CancelToken(), list[Started | Finished]()
    run = batch(tmp_path, steps, token)
    with pytest.raises(Cancelled):
        run.run(objects("vase", "stop", "urn"), token)
    assert [each.object for each in run.outcomes] == ["vase"]
    page = run.page.read_text(encoding="utf-8")
    assert "1 of 3 objects are done" in page
    assert page.count(">waiting<") == 2
    with pytest.raises(Cancelled):
        run.run(objects("urn"), token)
    assert [each.object for each in run.outcomes] == ["vase"]


def test_results_of_an_object_lie_in_a_folder_of_its_own(tmp_path: Path) -> None:
    job = recipe(tmp_path).job(objects("v.1")[0])
    assert job.models == (tmp_path / "v.1" / "v.1.glb", tmp_path / "v.1" / "v.1.ply")
    assert job.workspace == tmp_path / "v.1" / "v.1.recon3d"


# The time left


def test_the_time_left_goes_by_photos_and_by_objects_that_were_computed_in_full() -> None:
    pace = Pace(photos_of_video=100)
    assert pace.seconds_left([10]) is None
    pace.learn(failed())
    pace.learn(done(seconds=0.1, kept=True))
    assert pace.seconds_left([10]) is None
    pace.learn(done(given=10, seconds=20.0))
    assert pace.seconds_left([5, 5]) == (20.0, 20.0)
    pace.learn(done(given=10, seconds=60.0))
    assert pace.seconds_left([5, 0]) == (210.0, 630.0)


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (None, "time left unknown until one was computed in full"),
        ((1.0, 20.0), "less than a minute left"),
        ((50.0, 70.0), "about a minute left"),
        ((600.0, 620.0), "about 10 min left"),
        ((600.0, 9000.0), "about 10 min to 2 h 30 min left"),
    ],
)
def test_the_time_left_reads_well(left: tuple[float, float] | None, words: str) -> None:
    assert in_words(left) == words


# What a run leaves


def report(workspace: Path, failure: str | None = None, **facts: object) -> None:
    workspace.mkdir(parents=True)
    content = {
        "failure": failure and {"message": failure},
        "photos": [{"verdict": "used"}] * 8 + [{"verdict": "left out"}] * 2,
        "mesh": None if failure else {"faces": 1234},
        "stages": {"pose": {"seconds": 5.0, "cached": False}},
        "warnings": ["blur"],
        **facts,
    }
    (workspace / "report.json").write_text(json.dumps(content))
    still = '<div class="card stills">\n<img src="data:image/jpeg;base64,AAAA" alt="1">'
    (workspace / "report.html").write_text(still)


def test_an_outcome_has_the_numbers_of_the_report(tmp_path: Path) -> None:
    job = recipe(tmp_path).job(objects("vase")[0])
    report(job.workspace)
    outcome = outcome_of(job, 20.0, None)
    assert (outcome.given, outcome.placed, outcome.triangles) == (10, 8, 1234)
    assert (outcome.warnings, outcome.failed, outcome.kept) == (("blur",), False, False)
    assert outcome.still == "data:image/jpeg;base64,AAAA"
    assert "still" not in outcome.fields()
    assert outcome_of(job, 1.0, None).kept, "it took less time than its stages"


def test_a_failed_run_has_its_own_report_and_not_that_of_an_earlier_one(tmp_path: Path) -> None:
    job = recipe(tmp_path).job(objects("vase")[0])
    report(job.workspace, "Only 1 of 10 photos could be placed.")
    error = TooFewPhotosPlacedError("Only 1 of 10 photos could be placed.", hint="Take more.")
    outcome = outcome_of(job, 3.0, error)
    assert (outcome.given, outcome.error, outcome.hint) == (10, str(error), "Take more.")
    assert outcome.report
    assert (outcome.models, outcome.still) == ((), "")
    other = outcome_of(job, 3.0, InputError("The folder is gone."))
    assert (other.given, other.report) == (None, None)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"failure": 1}'])
def test_a_damaged_report_says_nothing(tmp_path: Path, text: str) -> None:
    job = recipe(tmp_path).job(objects("vase")[0])
    job.workspace.mkdir(parents=True)
    (job.workspace / "report.json").write_text(text)
    assert outcome_of(job, 3.0, None).given is None
    assert first_still(job.workspace / "report.html") == ""


# Page and table

HOSTILE = '=cmd|"/c x"!A1 <script>alert(1)</script> ?#%\n\udcff'


def test_names_are_neither_markup_nor_formulas_and_links_find_their_files(tmp_path: Path) -> None:
    report_path = tmp_path / HOSTILE.replace("/", "_") / "report.html"
    outcomes = [done(HOSTILE, report=str(report_path)), failed()]
    write_page(tmp_path / "batch.html", outcomes)
    write_csv(tmp_path / "batch.csv", outcomes)
    page = (tmp_path / "batch.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "%3Cscript%3Ealert%281%29%3C_script%3E%20%3F%23%25%0A%FF/report.html" in page
    assert "1 of 2 objects worked" in page
    assert "Too dark." in page
    with (tmp_path / "batch.csv").open(encoding="utf-8-sig", newline="") as stream:
        first, second = csv.DictReader(stream)
    assert first["object"].startswith("'=cmd")
    assert (first["photos"], first["placed"], first["left_out"]) == ("10", "8", "2")
    assert (second["status"], second["error"], second["hint"]) == (
        "failed", "Too dark.", "Use a lamp.",
    )  # fmt: skip
