"""Search for the parameters of a scikit-learn pipeline, and see which step takes the time."""

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import cirron as ci

ci.profile()

images, digits = load_digits(return_X_y=True)
train, test, train_digits, test_digits = train_test_split(images, digits, random_state=0)

steps = [("scale", StandardScaler()), ("reduce", PCA()), ("classify", LogisticRegression(max_iter=500))]
search = ci.wrap(GridSearchCV(Pipeline(steps), {"reduce__n_components": [10, 20, 40]}, cv=3))
search.fit(train, train_digits)
accuracy = search.score(test, test_digits)
ci.mark("accuracy", accuracy, kind="summary")

print(
    f"{accuracy:.1%} of the test digits are read correctly, with {search.best_params_}. Where the time went:\n"
)
ci.trace()
