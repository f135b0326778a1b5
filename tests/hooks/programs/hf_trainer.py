"""x

"""

from common import fingerprint
from hf_common import trainer

import cirron as ci

ci.profile()
training = trainer(num_train_epochs=2, eval_strategy="epoch", logging_steps=1)
training.train()
print(fingerprint(training.model), training.state.log_history[0]["loss"])
