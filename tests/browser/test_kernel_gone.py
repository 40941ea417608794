"""What becomes of a run when its kernel is interrupted, restarted or killed: nothing."""

from __future__ import annotations

import os
import signal

from lab import until

LOAD = "%load_ext nbmodels"
TRAIN = "run = %bigmodel train cnn --data digits --epochs 3000 --name {}"


def test_restart_in_the_middle(lab, notebook, picture) -> None:
    page = notebook(LOAD, TRAIN.format("gone-1"), LOAD, "%bigmodel attach gone-1")
    page.run(0)
    page.run(1)
    page.view(1).at_work()
    lab.rest("POST", f"api/kernels/{page.kernel()}/restart")
    goes_on(lab, "gone-1")
    attached(page)
    picture(page.page, "attached")


def test_kernel_killed_in_the_middle(lab, notebook, picture) -> None:
    page = notebook(LOAD, TRAIN.format("gone-2"), LOAD, "%bigmodel attach gone-2", "import os; os.getpid()")
    page.run(0)
    page.run(1)
    page.view(1).at_work()
    first = page.kernel()
    os.kill(int(page.run(4)), signal.SIGKILL)
    goes_on(lab, "gone-2")
    said = page.page.get_by_role("dialog")  # the Lab tells that the kernel restarts
    said.wait_for()
    picture(page.page, "killed")
    said.get_by_role("button").last.click()
    until(lambda: lab.rest("GET", f"api/kernels/{first}")["execution_state"] == "idle", "a new kernel")
    attached(page)
    old = page.view(1)  # drawn from the server: it needs no kernel
    old.moves()
    old.press("Stop")
    old.wait("stopped")


def test_interrupt_stops_the_waiting_only(lab, notebook) -> None:
    page = notebook(LOAD, TRAIN.format("gone-3"), "run.wait()", "run.state")
    page.run(0)
    page.run(1)
    page.view(1).at_work()
    page.start(2)
    until(lambda: page.prompt(2).inner_text().strip() == "[*]:", "the cell waits")
    page.page.wait_for_timeout(500)  # the kernel is inside wait(), not only told to be
    lab.rest("POST", f"api/kernels/{page.kernel()}/interrupt")
    until(lambda: page.text(2), "the waiting ends")
    said = page.text(2)
    assert "\n" not in said
    assert "%bigmodel stop gone-3" in said
    assert page.run(3) == "'running'"
    goes_on(lab, "gone-3")


def goes_on(lab, run: str) -> None:
    """Wait until the worker has done more steps and its heart has beaten."""
    seen = lab.status(run)
    until(
        lambda: lab.status(run)["step"] > seen["step"] and lab.status(run)["heartbeat"] > seen["heartbeat"], "it runs"
    )


def attached(page) -> None:
    """Show the run from the new kernel: the last two words of the notebook."""
    page.idle()
    page.run(2)
    page.run(3)
    page.view(3).at_work()
