"""When torch is hooked, for whom, and what is left of it afterwards."""

import copy
import gc
import inspect
import itertools
import pickle
import re
import signal
import subprocess
import sys
import threading
import weakref
from inspect import cleandoc
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, dataloader

import cirron as ci
from cirron.faults import Faults
from cirron.hooks.guard import Guard
from cirron.hooks.torch import discovery, looks
from support.programs import run_program
from support.spool_pictures import draw


class Net(nn.Module):
    """With a submodule of its own class."""

    def __init__(self, depth=1):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.inner = Net(depth - 1) if depth else nn.Identity()

    def forward(self, x):
        return self.inner(self.layer(x))


def train(model, batches=1):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for (x,) in DataLoader(TensorDataset(torch.ones(batches, 2))):
        model(x).sum().backward()
        optimizer.step()


STEP = """      data_load first=True
      forward
      backward
      optimizer_step"""
TREE = f"cirron.session\n  epoch[0]\n    step[0]\n{STEP}"


def subclasses(kind):
    return [each for child in kind.__subclasses__() for each in (child, *subclasses(child))]


def torch_as_it_is():
    """Every attribute that a hook could have replaced, by identity."""
    owners = [torch.cuda, torch._C, torch._dynamo.utils]
    owners += [
        torch.autograd,
        torch.optim.Optimizer,
        DataLoader,
        dataloader._BaseDataLoaderIter,
        torch.Tensor,
    ]
    owners += [nn.Module, *subclasses(nn.Module)]
    facts = {(id(owner), name): id(value) for owner in owners for name, value in vars(owner).items()}
    step = torch.optim.SGD.step
    facts["cell"] = id(step.__closure__[step.__code__.co_freevars.index("func")].cell_contents)
    facts["meta_path"] = [id(finder) for finder in sys.meta_path]
    return facts


def test_shutdown_leaves_torch_as_it_was():
    train(Net())  # which makes torch itself patch the optimizer's class
    before = torch_as_it_is()
    ci.profile()
    train(Net())
    assert torch_as_it_is() != before
    ci.shutdown()
    assert torch_as_it_is() == before


def test_it_says_what_is_hooked():
    profiler = ci.profile(frameworks=["torch"])
    assert profiler.installed_hooks == ci.health()["frameworks_installed"] == ["torch"]
    ci.shutdown()
    assert profiler.installed_hooks == ci.health()["frameworks_installed"] == []


@pytest.mark.parametrize("arguments", [{"frameworks": []}, {"enabled": False}], ids=str)
def test_none_is_hooked_where_none_is_wanted(arguments):
    before = torch_as_it_is()
    assert ci.profile(**arguments).installed_hooks == []
    assert torch_as_it_is() == before
    ci.shutdown()


def test_two_instances_do_not_record_twice_and_the_second_follows_the_first(tmp_path):
    other = ci.Cirron(output_dir=tmp_path / "other")
    ci.profile(frameworks=["torch"], path=tmp_path / "first")
    assert other.profile(frameworks=["torch"]).installed_hooks == []
    train(Net())
    ci.shutdown()
    assert other.health()["frameworks_installed"] == ["torch"]
    train(Net())
    other.shutdown()
    assert draw(tmp_path / "first/spool") == draw(tmp_path / "other/spool") == TREE


def test_what_cannot_be_hooked_is_reported_and_left_alone(monkeypatch, caplog):
    monkeypatch.delattr(dataloader, "_BaseDataLoaderIter")
    before = vars(DataLoader)["__iter__"]
    profiler = ci.profile(frameworks=["torch"])
    assert (profiler.installed_hooks, vars(DataLoader)["__iter__"]) == ([], before)
    assert "_BaseDataLoaderIter" in ci.health()["frameworks_failed"]["torch"]
    assert "torch is not hooked: use ci.epochs, ci.batches and ci.scope there" in caplog.text
    ci.shutdown()


def test_a_hooked_model_is_copied_pickled_and_inspected_as_before():
    plain = Net()
    signature, state = inspect.signature(plain), plain.__getstate__().keys()
    ci.profile()
    model = Net()
    x = torch.ones(1, 2)
    y = model(x)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(x), y)
        assert isinstance(twin, Net)
    assert inspect.signature(model) == signature
    assert model.__getstate__().keys() == state
    ci.shutdown()
    assert torch.equal(pickle.loads(pickle.dumps(model))(x), y)


def test_what_a_program_defines_goes_to_other_processes_by_value():
    """As joblib, Ray and Dask send what is defined in the main module."""
    program = cleandoc("""
        import joblib, torch, cirron as ci
        from torch import nn

        ci.profile()

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(3, 1)
            def forward(self, x):
                return self.layer(x)

        class Strict(Net):
            def __call__(self, x):
                assert x.shape[1] == 3
                return super().__call__(x)

        class Plain(torch.optim.Optimizer):
            @torch.no_grad()
            def step(self, closure=None):
                loss = None if closure is None else closure()
                for each in self.param_groups[0]["params"]:
                    each.sub_(each.grad, alpha=0.1)
                return loss

        @ci.scope("batch", index=3, kind="small")
        def step(model, optimizer):
            optimizer.zero_grad()
            model(torch.ones(2, 3)).square().mean().backward()
            optimizer.step()

        def train(kind):
            torch.manual_seed(0)
            model = kind()
            optimizer = Plain(model.parameters(), {})
            step(model, optimizer)
            return model(torch.ones(1, 3)).item()

        for kind in (Net, Strict):
            here = train(kind)
            there = joblib.Parallel(n_jobs=2)(joblib.delayed(train)(kind) for _ in range(2))
            print(there == [here, here])
        ci.shutdown()
        """)
    ended = run_program(program)
    assert (ended.code, ended.stdout) == (0, "True\nTrue\n"), ended.stderr


def test_a_class_that_nobody_needs_any_more_goes_with_what_it_holds():
    def trial():
        class Local(Net):
            samples = torch.ones(10)

        class Step(torch.optim.SGD):
            def step(self, closure=None):
                return super().step(closure)

        model = Local()
        optimizer = Step(model.parameters(), lr=0.1)
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        return [weakref.ref(each) for each in (Local, Step, model, optimizer, Local.samples)]

    ci.profile()
    left = [trial() for _ in range(3)]
    gc.collect()
    assert [each() for trial in left for each in trial] == [None] * 15
    ci.shutdown()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tracers_and_scripts_see_the_same_graph_as_without():
    model, x = Net(), torch.ones(1, 2)
    sequence = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2)))

    def graphs():
        return [
            str(torch.fx.symbolic_trace(sequence).graph),
            re.sub(r"___torch_mangle_\d+\.| # .*", "", str(torch.jit.trace(model, x).inlined_graph)),
            re.sub(r"___torch_mangle_\d+\.", "", str(torch.jit.script(sequence).code)),
        ]

    expected = graphs()
    ci.profile()
    model(x), sequence(x), nn.Linear(2, 2)(x)
    assert graphs() == expected
    assert torch.equal(torch.jit.script(sequence)(x), sequence(x))
    ci.shutdown()


def test_a_module_with_a_call_of_its_own_is_called_once():
    class Counted(Net):
        calls = 0

        def __call__(self, x):
            type(self).calls += 1
            return super().__call__(x)

    ci.profile()
    model = Counted(depth=0)
    for _ in range(3):
        model(torch.ones(1, 2))
    ci.shutdown()
    assert Counted.calls == 3
    assert draw(Path(".cirron/spool")) == "cirron.session\n  forward\n  forward\n  forward"


def test_looking_for_new_modules_ends_and_nested_modules_are_as_they_were():
    original = vars(nn.Module)["__call__"]
    ci.profile()
    assert vars(nn.Module)["__call__"] is not original
    model = Net(depth=3)
    for _ in range(20):
        model(torch.ones(1, 2))
    assert vars(nn.Module)["__call__"] is original
    assert "__call__" not in vars(nn.Linear)
    ci.shutdown()


def test_what_somebody_puts_on_top_of_us_while_we_look_is_called_once_and_stays(monkeypatch):
    calls = []
    monkeypatch.setattr(nn.Module, "__call__", nn.Module.__call__)  # undone last
    ci.profile()
    below = nn.Module.__call__

    def call_module(module, *args):
        calls.append(type(module))
        return below(module, *args)

    monkeypatch.setattr(nn.Module, "__call__", call_module)
    model = nn.Linear(2, 2)
    for _ in range(20):  # in which the looking ends, to begin again with the loader
        model(torch.ones(1, 2))
    calls.clear()
    train(Net(depth=0))
    ci.shutdown()
    assert calls == [Net, nn.Linear, nn.Identity]
    assert nn.Module.__call__ is call_module


def test_a_look_that_somebody_puts_back_after_its_time_goes_away_with_the_session(monkeypatch):
    before = nn.Module.__call__
    ci.profile()
    with monkeypatch.context() as patch:
        patch.setattr(nn.Module, "__call__", nn.Module.__call__.__wrapped__)
        for _ in range(20):
            nn.Linear(2, 2)(torch.ones(1, 2))
        train(Net())
    ci.shutdown()
    assert nn.Module.__call__ is before


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")
def test_a_look_at_the_loss_breaks_no_graph_of_a_compiled_step():
    model = nn.Linear(2, 2)

    @torch.compile(backend="eager")
    def step(x):
        model(x).sum().backward()

    torch._dynamo.utils.counters.clear()
    ci.profile(snapshots=None)
    step(torch.ones(1, 2))
    ci.shutdown()
    assert not any("item()" in reason for reason in torch._dynamo.utils.counters["graph_break"])


class TestNothingOfOursIsCompiled:
    @pytest.fixture
    def compiled(self):
        """Compiles nothing, and counts what it is given."""
        torch._dynamo.reset()
        graphs = []
        yield graphs, lambda graph, _: graphs.append(graph) or graph.forward
        torch._dynamo.reset()

    def test_with_a_container_that_torch_leaves_alone(self, compiled):
        graphs, backend = compiled
        ci.profile()
        for model in (
            nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 1))) for _ in range(3)
        ):
            model.compile(backend=backend)
            model(torch.ones(1, 2))
        ci.shutdown()
        assert graphs == []

    @pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")
    @pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")
    def test_with_a_step_that_has_an_optimizer_in_it(self, compiled):
        graphs, backend = compiled

        def train():
            model = Net()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

            @torch.compile(backend=backend)
            def step(x):
                optimizer.zero_grad()
                model(x).sum().backward()
                optimizer.step()

            for _ in range(2):
                for (x,) in DataLoader(TensorDataset(torch.ones(6, 2)), batch_size=2):
                    step(x)
            torch._dynamo.reset()

        train()
        without = len(graphs)
        ci.profile()
        train()
        ci.shutdown()
        assert without > 0
        assert len(graphs) == 2 * without


def test_a_model_of_which_a_long_loop_makes_use_late_has_its_forward_after_the_next_look(monkeypatch):
    monkeypatch.setattr(looks, "LOOK_EVERY_NS", 0)
    monkeypatch.setattr(discovery, "SOON_NS", 0)
    ci.profile()
    model, late = Net(), nn.Linear(2, 2)
    for number, (x,) in enumerate(DataLoader(TensorDataset(torch.ones(20, 2)))):
        (late if number >= 18 else model)(x)
    ci.shutdown()
    assert draw(Path(".cirron/spool")).count("forward") == 20


@pytest.mark.parametrize("step_ns", [10_000, 1_000_000, 7_000_000_000])
def test_a_loop_looks_once_a_second_or_at_each_longer_step_and_is_seldom_asked(monkeypatch, step_ns):
    now = 0
    monkeypatch.setattr(looks.time, "monotonic_ns", lambda: now)
    looked_ns, asked = [], 0
    plan = looks.Looks(lambda: looked_ns.append(now))
    step = plan.next_from(0)
    while len(looked_ns) < 5:
        now, asked = step * step_ns, asked + 1
        step = plan.next_from(step)
    between_ns = [later - earlier for earlier, later in itertools.pairwise(looked_ns)]
    assert max(between_ns) <= max(1_100_000_000, step_ns)
    assert asked < 40


def test_short_loops_look_more_and_more_seldom_until_something_is_new(monkeypatch):
    now_ms = 0
    monkeypatch.setattr(discovery, "time", SimpleNamespace(monotonic_ns=lambda: now_ms * 1_000_000))
    before = nn.Module.__call__
    looked_ms = []
    ci.profile(snapshots=None)
    model, loader = Net(), DataLoader(TensorDataset(torch.ones(20, 2)))
    for now_ms in range(0, 6_000, 50):
        if now_ms == 4_000:
            torch.optim.SGD(model.parameters())
        for (x,) in loader:
            if nn.Module.__call__ is not before and now_ms not in looked_ms:
                looked_ms.append(now_ms)
            model(x)
    ci.shutdown()
    pauses_ms = [later - earlier for earlier, later in itertools.pairwise(looked_ms)]
    assert pauses_ms == [150, 250, 450, 850, 1050, 1050, 200, 150, 250, 450, 850]


def test_a_function_of_ours_that_is_under_way_when_the_hooks_go_gives_its_batch():
    ci.profile()
    next_batch = dataloader._BaseDataLoaderIter.__next__
    ci.shutdown()
    batches = iter(DataLoader(TensorDataset(torch.ones(2, 1))))
    assert [next_batch(batches)[0].item() for _ in range(2)] == [1, 1]


def test_each_thread_has_its_own_tree():
    ci.profile()
    together = threading.Barrier(2)

    def work():
        together.wait()
        train(Net(), batches=20)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ci.shutdown()
    names = [line.split()[0] for line in draw(Path(".cirron/spool")).splitlines()]
    assert {name: names.count(name) for name in ("forward", "backward", "optimizer_step", "data_load")} == {
        "forward": 40,
        "backward": 40,
        "optimizer_step": 40,
        "data_load": 40,
    }


def run(code, *arguments):
    result = subprocess.run(
        [sys.executable, "-c", cleandoc(code), *arguments], capture_output=True, encoding="utf-8", timeout=120
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_a_program_without_torch_never_meets_the_hooks_of_torch():
    assert (
        run("""
        import sys, cirron as ci
        before = list(sys.meta_path)
        print(ci.profile().installed_hooks)
        import csv
        assert "torch" not in sys.modules and "cirron.hooks.torch" not in sys.modules
        ci.shutdown()
        assert sys.meta_path == before
    """)
        == "[]\n"
    )


def test_a_module_that_is_waited_for_is_imported_as_ever():
    assert (
        run("""
        import sys, cirron as ci
        profiler = ci.profile()
        import torch
        print(profiler.installed_hooks, type(torch.__loader__).__name__, vars(torch.__loader__).keys())
        ci.shutdown()
    """)
        == "['torch'] SourceFileLoader dict_keys(['name', 'path'])\n"
    )


def test_an_import_that_fails_may_be_tried_again(tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/torch.py").write_text("raise ImportError('not today')")
    assert (
        run(
            """
        import sys, cirron as ci
        sys.path.insert(0, sys.argv[1])
        profiler = ci.profile()
        try:
            import torch
        except ImportError as error:
            print(error)
        sys.path.remove(sys.argv[1])
        import torch
        print(profiler.installed_hooks)
        ci.shutdown()
        """,
            str(tmp_path / "broken"),
        )
        == "not today\n['torch']\n"
    )


def test_a_forked_child_that_trains_records_a_session_of_its_own(tmp_path):
    (tmp_path / "program.py").write_text(
        cleandoc("""
            import multiprocessing, torch, cirron as ci
            def train():
                torch.nn.Linear(1, 1)(torch.ones(1, 1)).sum().backward()
            ci.profile()
            child = multiprocessing.get_context("fork").Process(target=train)
            child.start()
            child.join()
        """)
    )
    subprocess.run([sys.executable, "program.py"], check=True, timeout=120)
    child, parent = "cirron.session\n  forward\n  backward", "cirron.session"
    assert draw(Path(".cirron/spool")) in (f"{child}\n{parent}", f"{parent}\n{child}")


def test_the_epochs_of_a_forked_child_are_numbered_from_0(tmp_path):
    (tmp_path / "program.py").write_text(
        cleandoc("""
            import os, torch, cirron as ci
            ci.profile()
            loader = torch.utils.data.DataLoader(torch.ones(2, 1))
            list(loader)
            if child := os.fork():
                os.waitpid(child, 0)
            list(loader)
        """)
    )
    subprocess.run([sys.executable, "program.py"], check=True, timeout=120)
    tree = draw(Path(".cirron/spool"))
    assert sorted(re.findall(r"epoch\[.*", tree)) == ["epoch[0]", "epoch[0]", "epoch[1]"]


@pytest.fixture
def impatient():
    """A handler of SIGALRM that raises TimeoutError."""

    def too_long(*_):
        raise TimeoutError("the training takes too long")

    before = signal.signal(signal.SIGALRM, too_long)
    yield
    signal.signal(signal.SIGALRM, before)


def test_what_a_signal_handler_raises_while_a_hook_is_at_work_is_for_the_program(impatient):
    class Interrupted(nn.Linear):
        def parameters(self, recurse=True):
            signal.raise_signal(signal.SIGALRM)
            return super().parameters(recurse)

    ci.profile()
    with pytest.raises(TimeoutError):
        Interrupted(2, 2)(torch.ones(1, 2))
    with pytest.raises(TimeoutError):
        Guard("tensorflow", Faults())(signal.raise_signal, signal.SIGALRM)
    assert ci.health()["internal_errors"] == {}
    ci.shutdown()
