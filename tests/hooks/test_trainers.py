"""The hooks of transformers, accelerate and Lightning: what is left of them, and what happens when they fail."""

import json
import os
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path

from support.spool_pictures import batches_of, draw

HUNG_S = 240

TRAINERS = """
    import lightning.pytorch as pl, pytorch_lightning, torch
    from common import fingerprint, net, numbers
    from common_hf import trainer
    from common_lightning import trainer as lightning_trainer

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = net()
        def training_step(self, batch, index):
            return self.net(batch[0]).square().mean()
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    def fit():
        module, loader = Module(), torch.utils.data.DataLoader(numbers(1), batch_size=4)
        lightning_trainer(pl.Trainer, max_epochs=1).fit(module, loader)
        return module

    def train():
        training = trainer(num_train_epochs=1, eval_strategy="epoch")
        training.train()
        return training.model
"""


def run(*parts):
    """What a program made of these parts prints; it has the modules of the programs."""
    programs = Path(__file__).parent / "programs"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "\n".join(map(cleandoc, parts))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(programs), *sys.path])},
        capture_output=True,
        encoding="utf-8",
        timeout=HUNG_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_are_hooked_when_they_are_imported_and_shutdown_leaves_them_as_they_were():
    printed = run(
        """
        import gc
        import cirron as ci

        def attributes():
            ours = ("transformers.trainer", "accelerate.", "lightning.", "pytorch_lightning.")
            kinds = [kind for kind in gc.get_objects() if isinstance(kind, type)]
            kinds = [kind for kind in kinds if str(kind.__module__).startswith(ours)]
            return {(kind, name): id(vars(kind)[name]) for kind in kinds for name in vars(kind) if "_abc" not in name}

        def differing(facts, others):
            return sorted(f"{key[0].__module__}.{key[0].__name__}.{key[1]}" for key in facts
                          if key in others and facts[key] != others[key])

        profiler = ci.profile()
        """,
        TRAINERS,
        """
        import json
        installed, hooked = profiler.installed_hooks, attributes()
        ci.shutdown()
        before = attributes()
        ci.profile()
        train(), fit()
        again = attributes()
        ci.shutdown()
        results = [installed, differing(hooked, before), differing(again, before), differing(attributes(), before)]
        print(json.dumps(results))
        """,
    )
    installed, hooked, hooked_again, left = json.loads(printed)
    assert installed == ["transformers", "accelerate", "lightning", "torch"]
    assert {"transformers.trainer.Trainer.train", "accelerate.data_loader.DataLoaderShard.__iter__"} < set(
        hooked
    )
    assert {
        f"{each}.loops.fit_loop._FitLoop.run" for each in ("lightning.pytorch", "pytorch_lightning")
    } < set(hooked)
    assert (hooked_again, left) == (hooked, [])


def test_hooks_that_fail_are_reported_and_change_nothing():
    fail = """
        import cirron as ci
        from cirron.hooks.logged import Logged
        from cirron.hooks.owned_loop import OwnedLoop
        ci.profile()
        def fail(*args, **kwargs):
            raise LookupError("a hook with a fault")
        OwnedLoop.begin_epoch = OwnedLoop.begin_evaluation = OwnedLoop.end_steps = OwnedLoop.end = Logged.log = fail
    """
    counts = "print(*(ci.health()['internal_errors'][f'hooks.{name}'] >= 3 for name in ('transformers', 'lightning')))"
    plain = run(TRAINERS, "print(fingerprint(train(), fit()))")
    assert run(TRAINERS, fail, "print(fingerprint(train(), fit()))", counts) == f"{plain}True True\n"


def test_the_models_are_looked_at_when_an_epoch_ends_and_two_instances_do_not_record_twice():
    run(
        TRAINERS,
        """
        import cirron as ci
        ci.profile()
        other = ci.Cirron(output_dir="other")
        other.profile()
        train(), fit()
        other.shutdown()
        """,
    )
    batches = batches_of(Path(".cirron/spool"))
    epochs = [span.id for batch in batches for span in batch.spans if span.name == "epoch"]
    snapshots = [snapshot for batch in batches for snapshot in batch.snapshots]
    names = [{each.tensor_name for each in snapshots if each.span_id == epoch} for epoch in epochs]
    assert ["classifier.weight" in names[0], "net.head.weight" in names[0]] == [True, False]
    assert "net.head.weight" in names[1]
    assert {each.span_id for each in snapshots} == set(epochs)
    assert draw(Path("other/spool")) == "cirron.session"


def test_gradients_of_the_last_step_are_shown_where_the_training_ends_before_its_data():
    run(
        """
        import lightning.pytorch as pl, torch
        from common import net, numbers
        from common_hf import trainer
        from common_lightning import trainer as lightning_trainer
        import cirron as ci

        class Module(pl.LightningModule):
            def __init__(self):
                super().__init__()
                self.net = net()
            def training_step(self, batch, index):
                return self.net(batch[0]).square().mean()
            def validation_step(self, batch, index):  # before which Lightning clears the gradients
                self.net(batch[0])
            def configure_optimizers(self):
                return torch.optim.SGD(self.parameters(), lr=0.1)

        ci.profile()
        trainer(train=16, max_steps=6).train()
        trainer(train=16, max_steps=3, gradient_accumulation_steps=2).train()
        class Stream(torch.utils.data.IterableDataset):  # of which Lightning fetches a batch ahead
            def __iter__(self):
                yield from numbers(3)

        loader, stream = (torch.utils.data.DataLoader(data, batch_size=4) for data in (numbers(3), Stream()))
        for data, options in (
            (loader, {"limit_train_batches": 2, "max_epochs": 1}),
            (loader, {"max_steps": 1}),
            (stream, {"limit_train_batches": 2, "max_epochs": 1}),
            (stream, {"max_steps": 2, "val_check_interval": 2}),
        ):
            lightning_trainer(pl.Trainer, **options).fit(Module(), data, loader)
        """
    )
    marks = [mark for batch in batches_of(Path(".cirron/spool")) for mark in batch.marks]
    assert len([mark for mark in marks if mark.name == "grad_norm" and mark.kind == "summary"]) == 6
