"""`ci.wrap`: what scikit-learn estimators do is recorded, and nothing about them changes."""

import copy
import inspect
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone, is_classifier, is_regressor
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

import cirron as ci
from cirron.spool import read, seal_dead_journals
from support.pictures import picture

X, Y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)


@pytest.fixture
def profiler():
    handle = ci.profile(frameworks=[], snapshots=None)
    yield handle
    ci.shutdown()


def drawn():
    """Each scope with what it is told by: the estimator's class, and the method of a part."""
    return picture(ci.trace("dict")).replace("'", "").replace("estimator=", "").replace("method=", "")


def pipeline():
    return Pipeline([("scale", StandardScaler()), ("pca", PCA(2)), ("model", LogisticRegression())])


class TestScopes:
    def test_each_call_has_one_named_after_the_method(self, profiler):
        model = ci.wrap(LogisticRegression())
        model.fit(X, Y)
        model.predict(X)
        model.predict_proba(X)
        model.decision_function(X)
        model.score(X, Y)
        assert drawn() == (
            "cirron.session\n  fit LogisticRegression\n  predict LogisticRegression\n"
            "  predict_proba LogisticRegression\n  decision_function LogisticRegression\n  score LogisticRegression"
        )

    def test_what_a_method_does_by_others_of_its_own_is_one(self, profiler):
        ci.wrap(StandardScaler()).fit_transform(X)
        ci.wrap(KMeans(2, n_init=1)).fit_predict(X)
        assert drawn() == "cirron.session\n  fit_transform StandardScaler\n  fit_predict KMeans"

    def test_partial_and_inverse_ones_are_known(self, profiler):
        model, scaler = ci.wrap(SGDClassifier()), ci.wrap(StandardScaler())
        model.partial_fit(X, Y, classes=[0, 1, 2])
        scaler.inverse_transform(scaler.fit(X).transform(X))
        assert drawn() == (
            "cirron.session\n  partial_fit SGDClassifier\n  fit StandardScaler\n  transform StandardScaler\n"
            "  inverse_transform StandardScaler"
        )

    def test_a_pipeline_has_one_a_step(self, profiler):
        model = ci.wrap(pipeline()).fit(X, Y)
        model.predict(X)
        assert drawn() == (
            "cirron.session\n"
            "  fit Pipeline\n"
            "    scale fit_transform StandardScaler\n"
            "    pca fit_transform PCA\n"
            "    model fit LogisticRegression\n"
            "  predict Pipeline\n"
            "    scale transform StandardScaler\n"
            "    pca transform PCA\n"
            "    model predict LogisticRegression"
        )

    def test_steps_that_come_later_have_theirs(self, profiler):
        model = ci.wrap(pipeline())
        model.set_params(pca="passthrough", model=GaussianNB()).fit(X, Y)
        assert drawn() == (
            "cirron.session\n  fit Pipeline\n    scale fit_transform StandardScaler\n    model fit GaussianNB"
        )

    def test_composites_of_composites(self, profiler):
        union = FeatureUnion([("pca", PCA(1)), ("scale", StandardScaler())])
        columns = ColumnTransformer([("both", union, [0, 1]), ("keep", "passthrough", [2])])
        ci.wrap(make_pipeline(columns, LogisticRegression())).fit(X, Y)
        assert drawn() == (
            "cirron.session\n"
            "  fit Pipeline\n"
            "    columntransformer fit_transform ColumnTransformer\n"
            "      both fit_transform FeatureUnion\n"
            "        pca fit_transform PCA\n"
            "        scale fit_transform StandardScaler\n"
            "    logisticregression fit LogisticRegression"
        )

    def test_a_fitted_composite_that_was_loaded_is_recorded_in_full(self, profiler):
        columns = ColumnTransformer([("scale", StandardScaler(), [0, 1])])
        model = pickle.loads(pickle.dumps(make_pipeline(columns, GaussianNB()).fit(X, Y)))
        ci.wrap(model).predict(X)
        assert drawn() == (
            "cirron.session\n"
            "  predict Pipeline\n"
            "    columntransformer transform ColumnTransformer\n"
            "      scale transform StandardScaler\n"
            "    gaussiannb predict GaussianNB"
        )

    def test_a_search_has_one_a_candidate_and_fold(self, profiler):
        search = ci.wrap(GridSearchCV(GaussianNB(), {"var_smoothing": [0.1, 0.2]}, cv=2))
        search.fit(X, Y)
        search.predict(X)
        candidate = "    fit GaussianNB\n    score GaussianNB\n"
        assert drawn() == (
            f"cirron.session\n  fit GridSearchCV\n{candidate * 4}    fit GaussianNB\n"
            "  predict GridSearchCV\n    predict GaussianNB"
        )

    def test_a_search_over_something_wrapped_too(self, profiler):
        GridSearchCV(ci.wrap(GaussianNB()), {"var_smoothing": [0.1]}, cv=2, refit=False).fit(X, Y)
        cross_val_score(ci.wrap(GaussianNB()), X, Y, cv=2)
        assert drawn() == "cirron.session" + "\n  fit GaussianNB\n  score GaussianNB" * 4

    def test_other_meta_estimators(self, profiler):
        members = [("nb", GaussianNB()), ("lr", LogisticRegression())]
        ci.wrap(VotingClassifier(members)).fit(X, Y)
        ci.wrap(StackingClassifier(members, final_estimator=GaussianNB(), cv=2)).fit(X, Y)
        target = TransformedTargetRegressor(
            LinearRegression(), transformer=StandardScaler(), check_inverse=False
        )
        ci.wrap(target).fit(X, Y)
        ci.wrap(BaggingClassifier(GaussianNB(), n_estimators=2)).fit(X, Y)
        ci.wrap(RandomForestClassifier(n_estimators=2)).fit(X, Y)
        fitted = "    nb fit GaussianNB\n    lr fit LogisticRegression\n"
        assert drawn().startswith(
            f"cirron.session\n  fit VotingClassifier\n{fitted}  fit StackingClassifier\n{fitted}"
        )
        assert drawn().endswith(
            "  fit TransformedTargetRegressor\n    fit StandardScaler\n    transform StandardScaler\n"
            "    fit LinearRegression\n"
            "  fit BaggingClassifier\n    fit GaussianNB\n    fit GaussianNB\n"
            "  fit RandomForestClassifier"
        )

    def test_an_exception_is_noted_and_passed_on(self, profiler):
        with pytest.raises(sklearn.exceptions.NotFittedError):
            ci.wrap(GaussianNB()).predict(X)
        assert drawn() == "cirron.session\n  predict GaussianNB error=NotFittedError"

    def test_threads_that_share_an_estimator_have_one_each(self, profiler):
        model = ci.wrap(GaussianNB()).fit(X, Y)
        together = threading.Barrier(2)

        def predict():
            together.wait()
            model.predict(X)

        threads = [threading.Thread(target=predict) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert drawn().count("predict GaussianNB") == 2

    def test_they_lie_in_those_of_the_user(self, profiler):
        for _ in ci.epochs(range(1)):
            with ci.scope("baseline"):
                ci.wrap(GaussianNB()).fit(X, Y)
        assert drawn() == "cirron.session\n  epoch[0]\n    baseline\n      fit GaussianNB"


class TestWithoutASession:
    def test_results_are_the_same_bits(self, profiler):
        recorded, bare = ci.wrap(pipeline()).fit(X, Y), pipeline().fit(X, Y)
        assert np.array_equal(recorded.predict_proba(X), bare.predict_proba(X))
        assert joblib.hash(recorded) == joblib.hash(bare)

    def test_nothing_happens(self):
        model = ci.wrap(pipeline())
        assert np.array_equal(model.fit(X, Y).predict(X), pipeline().fit(X, Y).predict(X))
        assert [type(step) for _, step in model.steps] == [StandardScaler, PCA, LogisticRegression]
        assert not Path(".cirron").exists()

    def test_it_records_once_there_is_one(self):
        model = ci.wrap(GaussianNB()).fit(X, Y)
        for _ in range(2):
            ci.profile(frameworks=[])
            model.predict(X)
            assert drawn() == "cirron.session\n  predict GaussianNB"
            ci.shutdown()

    def test_a_disabled_one_neither(self):
        ci.profile(enabled=False)
        assert ci.wrap(GaussianNB()).fit(X, Y).score(X, Y) > 0.9
        ci.shutdown()


class TestOtherObjects:
    @pytest.mark.parametrize(
        "thing", [5, "text", None, LogisticRegression, np.ones(2), object(), print, [1], ci]
    )
    def test_come_back_as_they_are(self, thing):
        kind = type(thing)
        assert ci.wrap(thing) is thing
        assert type(thing) is kind

    def test_a_class_that_allows_no_subclass_is_left_alone_and_said_so(self, profiler, caplog):
        class Sealing(type):
            def __new__(cls, name, bases, namespace):
                if any(isinstance(base, Sealing) for base in bases):
                    raise TypeError("no subclasses")
                return super().__new__(cls, name, bases, namespace)

        class Sealed(BaseEstimator, metaclass=Sealing):
            def fit(self, x):
                return self

        model = ci.wrap(Sealed())
        assert (type(model), model.fit(X)) == (Sealed, model)
        assert "Sealed is not recorded: no subclasses" in caplog.text
        assert ci.health()["internal_errors"]["wrap"] == 1


class TestTheEstimator:
    def test_is_the_same_object_of_the_same_class(self):
        bare = LogisticRegression(C=3)
        model = ci.wrap(bare)
        assert model is bare
        assert isinstance(model, LogisticRegression)
        assert model.__class__ is LogisticRegression
        assert type(model).__name__ == "LogisticRegression"
        assert vars(model) == vars(LogisticRegression(C=3))
        assert dir(model) == dir(LogisticRegression())

    def test_is_of_no_class_that_a_base_hears_of(self, profiler):
        heard = []

        class Plugin(BaseEstimator):
            def __init_subclass__(cls, *, name, **keywords):
                super().__init_subclass__(**keywords)
                heard.append(name)

        class Mine(Plugin, name="mine"):
            def fit(self, x):
                return self

        model = ci.wrap(Mine())
        model.fit(X)
        assert drawn() == "cirron.session\n  fit Mine"
        assert heard == ["mine"]
        type("Theirs", (type(model),), {}, name="theirs")
        assert heard == ["mine", "theirs"]

    def test_twice_is_as_once(self, profiler):
        once = ci.wrap(GaussianNB())
        kind = type(once)
        ci.wrap(ci.wrap(once)).fit(X, Y)
        assert type(once) is kind
        assert drawn() == "cirron.session\n  fit GaussianNB"

    def test_keeps_its_parameters_tags_and_pictures(self):
        bare, model = pipeline(), ci.wrap(pipeline())
        assert repr(model) == repr(bare)
        assert model.get_params().keys() == bare.get_params().keys()
        assert model.set_params(model__C=5).get_params()["model__C"] == 5
        assert is_classifier(model)
        assert not is_regressor(model)
        assert get_tags(ci.wrap(PCA())) == get_tags(PCA())
        assert "LogisticRegression" in model._repr_html_()
        assert inspect.signature(ci.wrap(GaussianNB()).fit) == inspect.signature(GaussianNB().fit)
        assert inspect.ismethod(model.fit)

    def test_has_the_methods_that_it_has_under_a_condition(self, profiler):
        outliers = ci.wrap(LocalOutlierFactor())
        assert not hasattr(outliers, "predict")
        assert hasattr(outliers.set_params(novelty=True), "predict")
        model = ci.wrap(pipeline())
        assert hasattr(model, "predict_proba")
        model.set_params(model=LinearRegression())
        assert not hasattr(model, "predict_proba")
        with pytest.raises(AttributeError, match="'Pipeline' has no attribute 'transform'"):
            _ = model.transform

    def test_knows_whether_it_is_fitted(self):
        model = ci.wrap(GaussianNB())
        with pytest.raises(sklearn.exceptions.NotFittedError):
            check_is_fitted(model)
        check_is_fitted(model.fit(X, Y))

    def test_gives_data_frames_where_it_is_asked_to(self, profiler):
        frame = load_iris(as_frame=True).data
        model = ci.wrap(make_pipeline(StandardScaler(), PCA(2))).set_output(transform="pandas")
        assert list(model.fit_transform(frame).columns) == ["pca0", "pca1"]

    def test_routes_metadata(self, profiler):
        def make():
            scaler = StandardScaler().set_fit_request(sample_weight=False)
            return make_pipeline(scaler, LogisticRegression().set_fit_request(sample_weight=True))

        weights = np.arange(len(Y))
        with sklearn.config_context(enable_metadata_routing=True):
            bare, recorded = make().fit(X, Y, sample_weight=weights), ci.wrap(make())
            recorded.fit(X, Y, sample_weight=weights)
        assert np.array_equal(recorded[-1].coef_, bare[-1].coef_)

    @pytest.mark.parametrize(
        "bare", [GaussianNB(), StandardScaler(), pipeline()], ids=lambda bare: type(bare).__name__
    )
    @pytest.mark.filterwarnings("ignore")
    def test_passes_the_checks_that_it_passes_bare(self, profiler, bare):
        def statuses(estimator):
            results = check_estimator(estimator, on_skip=None, on_fail=None)
            return {result["check_name"]: result["status"] for result in results}

        assert statuses(ci.wrap(clone(bare))) == statuses(bare)


class TestTwins:
    def test_clones_and_copies_record(self, profiler):
        model = ci.wrap(pipeline())
        for twin in (clone(model), copy.copy(model), copy.deepcopy(model)):
            assert twin is not model
            assert type(twin) is type(model)
            assert repr(twin) == repr(model)
        clone(model).fit(X, Y)
        assert drawn().count("model fit LogisticRegression") == 1

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_a_pickle_is_that_of_the_bare_estimator(self, profiler, protocol):
        model, bare = ci.wrap(pipeline()).fit(X, Y), pipeline().fit(X, Y)
        stored = pickle.dumps(model, protocol)
        assert b"cirron" not in stored
        twin = pickle.loads(stored)
        assert type(twin) is Pipeline
        assert np.array_equal(twin.predict(X), bare.predict(X))

    def test_a_model_is_loaded_where_there_is_no_cirron(self, tmp_path, profiler):
        joblib.dump(ci.wrap(pipeline()).fit(X, Y), "model.joblib")
        code = "import joblib, sys; joblib.load('model.joblib').predict([[0] * 4]); print('cirron' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "False\n"

    def test_the_cache_of_a_pipeline_is_shared_with_bare_ones(self, profiler):
        cached = Pipeline([("pca", PCA(2)), ("model", GaussianNB())], memory="cache")
        clone(cached).fit(X, Y)
        ci.wrap(cached).fit(X, Y)
        cached.predict(X)
        assert drawn() == (
            "cirron.session\n  fit Pipeline\n    model fit GaussianNB\n"
            "  predict Pipeline\n    pca transform PCA\n    model predict GaussianNB"
        )


class Odd(ClassifierMixin, BaseEstimator):
    """With all that an estimator rarely has: attributes on demand, methods of several kinds."""

    def __init__(self, value=1):
        self.value = value

    def __getattr__(self, name):
        if name == "on_demand":
            return "made"
        raise AttributeError(name)

    def __setattr__(self, name, value):
        super().__setattr__(name, value)

    def fit(self, x, y=None):
        self.kept = self.on_demand
        self.classes_ = [0]
        return self

    @property
    def predict(self):
        return self._predict

    def _predict(self, x):
        return [self.value] * len(x)

    @staticmethod
    def transform(x):
        return x

    @available_if(lambda self: self.value > 1)
    def score(self, x, y):
        return 1.0


class OnlySlots:
    """An estimator that owes scikit-learn nothing, and has no attributes but these."""

    __slots__ = ("value",)

    def __init__(self, value=1):
        self.value = value

    def get_params(self, deep=True):
        return {"value": self.value}

    def set_params(self, **params):
        self.value = params["value"]
        return self

    def fit(self, x, y=None):
        return self

    def transform(self, x):
        return x

    def __reduce__(self):
        return type(self), (self.value,)


class OwnPipeline(Pipeline):
    def fit(self, x, y=None):
        return super().fit(x, y)


class TestUnusualEstimators:
    def test_odd_ones_work_as_before(self, profiler):
        odd = ci.wrap(Odd())
        assert (odd.fit(X).kept, odd.predict(X[:2]), odd.transform(3)) == ("made", [1, 1], 3)
        assert not hasattr(odd, "score")
        assert clone(odd).set_params(value=2).score(X, Y) == 1.0
        assert pickle.loads(pickle.dumps(odd)).kept == "made"
        assert drawn() == "cirron.session\n  fit Odd\n  predict Odd\n  score Odd"

    def test_those_with_slots_alone(self, profiler):
        model = ci.wrap(OnlySlots(3))
        assert (
            clone(model).fit(X).value
            == copy.deepcopy(model).value
            == pickle.loads(pickle.dumps(model)).value
            == 3
        )
        assert drawn() == "cirron.session\n  fit OnlySlots"

    def test_a_subclass_of_pipeline_made_in_a_function(self, profiler):
        class Local(OwnPipeline):
            pass

        ci.wrap(Local([("nb", GaussianNB())])).fit(X, Y)
        assert drawn() == "cirron.session\n  fit Local\n    nb fit GaussianNB"

    def test_a_subclass_made_of_the_class_of_a_wrapped_one(self, profiler):
        kind = type(ci.wrap(GaussianNB()))

        class Own(kind):
            pass

        assert isinstance(ci.wrap(Own()).fit(X, Y), GaussianNB)
        assert drawn() == "cirron.session\n  fit Own"

    def test_one_whose_parameters_cannot_be_told_is_recorded_alone(self, profiler):
        class Secretive(BaseEstimator, TransformerMixin):
            def __init__(self, *parts):
                self.parts = parts

            __signature__ = "none"

            def fit(self, x, y=None):
                return self

        ci.wrap(Secretive()).fit(X)
        assert drawn() == "cirron.session\n  fit Secretive"

    def test_parts_with_names_that_only_pass_for_text(self, profiler):
        ci.wrap(Pipeline([(np.str_("nb"), GaussianNB())])).fit(X, Y)
        assert drawn() == "cirron.session\n  fit Pipeline\n    nb fit GaussianNB"

    def test_one_that_fits_while_it_is_pickled_in_another_thread(self, profiler):
        model, stop = ci.wrap(GaussianNB()), threading.Event()
        kind = type(model)

        def keep_pickling():
            while not stop.is_set():
                pickle.dumps(model)
                copy.deepcopy(model)

        threads = [threading.Thread(target=keep_pickling) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            model.fit(X, Y).predict(X)
        stop.set()
        for thread in threads:
            thread.join()
        assert type(model) is kind


def test_an_instance_records_what_it_wraps(tmp_path, profiler):
    own = ci.Cirron(output_dir=tmp_path / "own")
    own.profile(frameworks=[])
    clone(own.wrap(make_pipeline(GaussianNB()))).fit(X, Y)
    names = [node["name"] for node in own.trace("dict")["roots"][0]["children"]]
    own.shutdown()
    assert (names, drawn()) == (["fit"], "cirron.session")


PARALLEL = """
import sys
import cirron as ci
from sklearn.datasets import load_iris
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
if __name__ == "__main__":
    X, y = load_iris(return_X_y=True)
    if "record" in sys.argv[1:]:
        ci.profile(frameworks=[])
    wrap = ci.wrap if "wrap" in sys.argv[1:] else lambda model: model
    search = wrap(GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()),
        {"logisticregression__C": [0.1, 1]}, cv=2, n_jobs=2))
    vote = wrap(VotingClassifier([("nb", GaussianNB()), ("lr", LogisticRegression())], n_jobs=2))
    print(search.fit(X, y).cv_results_["mean_test_score"].tolist(), search.predict_proba(X).sum(axis=0).tolist())
    print(vote.fit(X, y).predict(X).tolist())
    ci.shutdown()
"""


def test_the_workers_of_joblib_record_into_the_same_run(tmp_path):
    (tmp_path / "program.py").write_text(PARALLEL)

    def run(*arguments):
        command = [sys.executable, "program.py", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "PYTHONWARNINGS": "ignore"}
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert run("wrap", "record") == run()
    seal_dead_journals(".cirron")
    spans = [(span.name, batch.worker) for batch in read(".cirron").batches() for span in batch.spans]
    of_workers = [name for name, worker in spans if worker is not None]
    assert [of_workers.count(name) for name in ("fit", "score", "standardscaler", "nb", "lr")] == [
        4,
        4,
        8,
        1,
        1,
    ]
