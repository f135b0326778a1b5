"""When Keras is hooked, and what is left of it afterwards; in processes of their own, for each has one backend."""

from inspect import cleandoc
from pathlib import Path

import pytest

from cirron.snapshots import TensorFile
from support.programs import run_program
from support.spool_pictures import batches_of, draw

BEGIN = cleandoc("""
    import gc
    gc.disable()  # a collection is marked where it comes, and it comes where it will

    import cirron as ci
    import keras, numpy as np

    def net(**options):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", **options)
        return model

    def fit(model, **options):
        return model.fit(np.ones((4, 2)), np.ones((4, 1)), batch_size=2, verbose=0, **options).history

    def keras_as_it_is():
        from keras.src.trainers.epoch_iterator import EpochIterator
        from keras.src.trainers.data_adapters.torch_data_loader_adapter import TorchDataLoaderAdapter
        owners = [keras.callbacks.CallbackList, EpochIterator, TorchDataLoaderAdapter]
        owners += [kind for kind in (*keras.Model.__mro__, *keras.optimizers.SGD.__mro__) if kind is not object]
        return {(id(owner), name): id(value) for owner in owners for name, value in vars(owner).items()}
""")


def run(script, backend="torch"):
    """What a script prints, after what all of them begin with."""
    ended = run_program(f"{BEGIN}\n{cleandoc(script)}", "-W", "ignore", KERAS_BACKEND=backend)
    assert ended.code == 0, ended.stderr
    return ended.stdout.splitlines()


@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_shutdown_leaves_keras_as_it_was(backend):
    assert run(
        """
            import inspect
            model = net()
            fit(model)
            before, signature = keras_as_it_is(), inspect.signature(model.fit)
            profiler = ci.profile()
            assert keras_as_it_is() != before
            assert inspect.signature(model.fit) == signature
            fit(model)
            print("tensorflow" in profiler.installed_hooks)
            ci.shutdown()
            print(keras_as_it_is() == before)
            """,
        backend,
    ) == ["True", "True"]


def test_marks_are_what_keras_logs():
    printed = run("""
        class Logs(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs):
                print("step", logs["loss"])
        ci.profile()
        model = net()
        history = fit(model, callbacks=[Logs()], validation_split=0.5)
        print("epoch", history["loss"][0])
        print("epoch", history["val_loss"][0])
        print("evaluation", history["val_loss"][0])
        ci.shutdown()
    """)
    batches = batches_of(Path(".cirron/spool"))
    spans = {span.id: span for batch in batches for span in batch.spans}
    parents = {span.id: spans[span.parent_id].name for span in spans.values() if span.parent_id in spans}
    marks = sorted(
        f"{spans[mark.span_id].name} {mark.value}"
        for batch in batches
        for mark in batch.marks
        if mark.name in ("loss", "val_loss") and parents[mark.span_id] != "evaluation"
    )
    assert marks == sorted(printed)


def test_whatever_of_keras_is_missing_is_reported_and_nothing_is_left_half_done():
    run("""
        from cirron.hooks.patches import Patches
        patched, set_ = [], Patches.set
        def noting(self, owner, name, ours):
            patched.append((owner, name))
            set_(self, owner, name, ours)
        Patches.set = noting
        ci.profile(frameworks=["tensorflow"])
        ci.shutdown()
        for owner, name in patched[:]:
            value = vars(owner)[name]
            delattr(owner, name)
            before = keras_as_it_is()
            profiler = ci.profile(frameworks=["tensorflow"])
            failed = ci.health()["frameworks_failed"].get("tensorflow", "")
            assert hasattr(owner, name) or (profiler.installed_hooks == [] and name in failed), (name, failed)
            ci.shutdown()
            assert keras_as_it_is() == before, name
            setattr(owner, name, value)
    """)


def test_an_end_in_the_middle_of_a_run_and_two_sessions_at_once_do_not_double_anything():
    run("""
        model = net()
        def turn_to_the_second(epoch, logs):
            if epoch == 1:
                ci.shutdown()
        ci.profile(frameworks=["tensorflow"], path="first")
        other = ci.Cirron(output_dir="second")
        other.profile(frameworks=["tensorflow"])
        fit(model, epochs=3, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=turn_to_the_second)])
        model.evaluate(np.ones((2, 2)), np.ones((2, 1)), verbose=0)
        other.shutdown()
    """)
    names = [
        [line.split(" |")[0] for line in draw(Path(folder, "spool")).splitlines()]
        for folder in ("first", "second")
    ]
    first = ["    step[0]", "      data_load first=True", "      optimizer_step"]
    second = ["    step[1]", "      data_load", "      optimizer_step"]
    assert names[0] == [
        "cirron.session",
        "  build",
        "    data_load",
        "  epoch[0]",
        *first,
        *second,
        "  epoch[1]",
    ]
    unowned = ["  data_load", "  optimizer_step"]  # of the batch that the second hears of when it is over
    evaluation = ["  evaluation", "    step[0]", "      data_load first=True"]
    epochs = ["  epoch[1]", *second, "  epoch[2]", *first, *second]
    assert names[1] == ["cirron.session", *unowned, *epochs, *evaluation]


@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_a_session_that_begins_in_the_midst_of_a_fit_has_the_rest_of_it_and_what_that_trains(backend):
    run(
        """
            model = net()
            def begin(epoch, logs):
                if epoch == 0:
                    ci.profile()
            fit(model, epochs=2, validation_split=0.5, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=begin)])
            ci.shutdown()
        """,
        backend,
    )
    batches = batches_of(Path(".cirron/spool"))
    epochs = {span.id: span for batch in batches for span in batch.spans if span.name == "epoch"}
    evaluations = [span for batch in batches for span in batch.spans if span.name == "evaluation"]
    assert [span.index for span in epochs.values()] == [0, 1]
    assert [span.parent_id in epochs for span in evaluations] == [True, True]
    assert {each.span_id for batch in batches for each in batch.snapshots} == set(epochs)


def test_a_session_that_begins_in_the_midst_of_an_epoch_has_its_remaining_steps():
    run(
        """
            def begin(batch, logs):
                if batch == 1:
                    ci.profile()
            model, data = net(), (np.ones((10, 2)), np.ones((10, 1)))
            callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=begin)]
            model.fit(*data, batch_size=2, verbose=0, callbacks=callbacks)
            with ci.scope("afterwards"):
                pass
        """,
        "tensorflow",
    )
    names = [line.partition(" |")[0] for line in draw(Path(".cirron/spool")).splitlines()]
    assert names == ["cirron.session", "  epoch[0]", "    step[3]", "    step[4]", "  afterwards"]


def test_an_exception_ends_the_epoch_of_a_fit_whose_beginning_nobody_has_seen():
    run("""
        model = net()
        def begin(epoch, logs):
            ci.profile() if epoch == 0 else {}["no such key"]
        try:
            fit(model, epochs=2, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=begin)])
        except KeyError:
            pass
        with ci.scope("afterwards"):
            pass
    """)
    assert draw(Path(".cirron/spool")).splitlines()[-2:] == ["  epoch[1]", "  afterwards"]


def test_hooks_that_fail_are_counted_and_change_nothing():
    run("""
        def fitted():
            keras.utils.set_random_seed(1)
            return fit(net(), validation_split=0.5, epochs=2)
        def fail(*args, **kwargs):
            raise LookupError("a hook with a fault")
        expected = fitted()
        ci.profile()
        from cirron.hooks.tensorflow.runs import Run
        names = "begin_epoch", "wait_for_first", "end_batch", "validate_with", "log", "end_steps", "end_epoch", "end"
        for name in names:
            sound = getattr(Run, name)
            setattr(Run, name, fail)
            before = ci.health()["internal_errors"].get("hooks.tensorflow", 0)
            assert fitted() == expected, name
            assert ci.health()["internal_errors"]["hooks.tensorflow"] > before, name
            setattr(Run, name, sound)
    """)


def test_a_list_of_callbacks_without_a_run_of_keras_opens_nothing():
    run("""
        ci.profile()
        callbacks = keras.callbacks.CallbackList([], model=net())
        callbacks.on_train_begin()
        callbacks.on_epoch_begin(0)
        callbacks.on_train_batch_end(0, {"loss": 1.0})
        callbacks.on_epoch_end(0, {"loss": 1.0})
        ci.shutdown()
    """)
    assert draw(Path(".cirron/spool")) == "cirron.session"


def test_each_epoch_has_the_weights_of_a_model_on_torch_by_their_paths():
    run("""
        ci.profile()
        dense, norm = keras.layers.Dense(1, name="d"), keras.layers.BatchNormalization(name="n")
        model = keras.Sequential([keras.Input((2,)), dense, norm])
        model.compile("sgd", "mse")
        fit(model, epochs=2)
        ci.shutdown()
    """)
    batches = batches_of(Path(".cirron/spool"))
    epochs = {span.id: span.index for batch in batches for span in batch.spans if span.name == "epoch"}
    found = {index: set() for index in epochs.values()}
    for batch in batches:
        for snapshot in batch.snapshots:
            found[epochs[snapshot.span_id]].add(snapshot.tensor_name.partition("/")[2])
    weights = {"d/kernel", "d/bias", "n/gamma", "n/beta"}
    moving = {"n/moving_mean", "n/moving_variance"}
    expected = weights | {f"{name}.grad" for name in weights} | moving
    assert found == {0: expected, 1: expected}


@pytest.mark.parametrize("strategy", ["", "tensorflow.distribute.MirroredStrategy(['/cpu:0']).scope()"])
def test_frozen_weights_on_tensorflow_come_once_also_where_variables_are_mirrored(strategy):
    run(
        f"""
            import contextlib, tensorflow
            ci.profile()
            with {strategy or "contextlib.nullcontext()"}:
                frozen, dense = keras.layers.Dense(2, name="f", trainable=False), keras.layers.Dense(1, name="d")
                model = keras.Sequential([keras.Input((2,)), frozen, dense])
                model.compile("sgd", "mse")
            fit(model, epochs=2)
            assert ci.health()["internal_errors"] == {{}}
            ci.shutdown()
        """,
        "tensorflow",
    )
    batches = batches_of(Path(".cirron/spool"))
    epochs = {span.id: span.index for batch in batches for span in batch.spans if span.name == "epoch"}
    found = {
        (epochs[each.span_id], each.tensor_name.partition("/")[2])
        for batch in batches
        for each in batch.snapshots
    }
    trained = {(epoch, f"d/{name}") for epoch in (0, 1) for name in ("kernel", "bias")}
    assert found == trained | {(0, "f/kernel"), (0, "f/bias")}


@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_a_model_whose_fit_is_over_is_no_part_of_the_fit_of_another(backend):
    run(
        """
            ci.profile()
            first, second = net(), net()
            fit(first, epochs=2)
            fit(second, epochs=2)
            fit(first)
            ci.shutdown()
        """,
        backend,
    )
    batches = batches_of(Path(".cirron/spool"))
    ends = {span.id: span.end_ns for batch in batches for span in batch.spans if span.name == "epoch"}
    found = {span_id: set() for span_id in sorted(ends, key=ends.get)}
    for batch in batches:
        for snapshot in batch.snapshots:
            found[snapshot.span_id].add(snapshot.tensor_name.removesuffix(".grad"))
    first = {"sequential/dense/kernel", "sequential/dense/bias"}
    second = {"sequential_1/dense_1/kernel", "sequential_1/dense_1/bias"}
    assert list(found.values()) == [first, first, second, second, first]


TRAINING = """
    {session}
    keras.utils.set_random_seed(0)
    dense, norm = keras.layers.Dense(1, name="d", {options}), keras.layers.BatchNormalization(name="n")
    model = keras.Sequential([keras.Input((2,)), dense, norm])
    model.compile("sgd", "mse")
    for _ in range(2):
        fit(model)
        for weight in model.weights:
            value = keras.ops.convert_to_numpy(weight).astype("float64")
            print(weight.path.partition("/")[2], weight.dtype, value.ravel().tolist())
    ci.shutdown()
    import sys
    assert {session!r} == "" or "torch" not in sys.modules
"""


@pytest.mark.parametrize("options", ["", "dtype='bfloat16'"])
def test_weights_on_tensorflow_are_read_where_they_lie_without_torch_in_the_process(options):
    printed = run(TRAINING.format(session="ci.profile(snapshots='full')", options=options), "tensorflow")
    assert printed == run(TRAINING.format(session="", options=options), "tensorflow")
    taken = [each for batch in batches_of(Path(".cirron/spool")) for each in batch.snapshots]
    found = []
    for each in sorted(taken, key=lambda each: each.ts_ns):
        name, values = each.tensor_name, TensorFile(Path(".cirron"), each.blob_uri).read(each.tensor_name)
        found.append(f"{name.partition('/')[2]} {each.dtype} {values.astype('float64').ravel().tolist()}")
        assert (each.stats.min, each.stats.max) == (values.min(), values.max())
        assert each.attrs.get("frozen", False) == ("moving" in name)
    assert found == printed


def update_ratios():
    """Of all epochs."""
    marks = [mark for batch in batches_of(Path(".cirron/spool")) for mark in batch.marks]
    return [mark.value for mark in marks if mark.name == "update_ratio"]


RATIOS = """
    def weights(model):
        found = [keras.ops.convert_to_numpy(keras.ops.cast(each, "float32")) for each in model.trainable_weights]
        return np.concatenate([each.ravel() for each in found]).astype("float64")

    class Ratios(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs):  # by when all layers are built
            if batch == 0:
                self.before = weights(self.model)
        def on_epoch_end(self, epoch, logs):
            print(np.linalg.norm(weights(self.model) - self.before) / np.linalg.norm(self.before))

    ci.profile()
    frozen, head = keras.layers.Dense(30, trainable=False), keras.layers.Dense(1, {options})
    model = keras.Sequential([{inputs} frozen, keras.layers.BatchNormalization(), head])
    model.compile("adam", "mse")
    fit(model, epochs=3, callbacks=[Ratios()])
    ci.shutdown()
"""


@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
@pytest.mark.parametrize("options", ["", "dtype='bfloat16'"])
def test_each_epoch_tells_how_far_the_weights_have_come(backend, options):
    printed = run(RATIOS.format(options=options, inputs="keras.Input((2,)),"), backend)
    assert update_ratios() == pytest.approx([float(each) for each in printed])


def test_a_model_that_fit_builds_tells_how_far_its_weights_have_come_in_the_first_epoch_on_torch():
    printed = run(RATIOS.format(options="", inputs=""))
    assert update_ratios() == pytest.approx([float(each) for each in printed])


def test_of_a_value_that_lies_on_a_device_a_sample_is_taken_there():
    assert run(
        """
            import tensorflow
            from cirron.snapshots.variables import gathered
            value = tensorflow.reshape(tensorflow.range(6, dtype="bfloat16"), (2, 3))
            print(gathered(value, np.array([0, 2, 5])).astype("float64").tolist())
            """,
        "tensorflow",
    ) == ["[0.0, 2.0, 5.0]"]


def test_layers_of_one_path_on_tensorflow_are_told_apart():
    run(
        """
            ci.profile()
            class Twins(keras.Model):
                def __init__(self):
                    super().__init__()
                    self.twins = [keras.layers.Dense(2, use_bias=False, name="d") for _ in range(3)]
                def call(self, x):
                    for each in self.twins:
                        x = each(x)
                    return x
            model = Twins()
            model.compile("sgd", "mse")
            fit(model)
            ci.shutdown()
        """,
        "tensorflow",
    )
    taken = [each.tensor_name for batch in batches_of(Path(".cirron/spool")) for each in batch.snapshots]
    assert taken == ["twins/d/kernel", "twins/d/kernel#1", "twins/d/kernel#2"]
