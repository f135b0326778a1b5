"""Fine-tune a small transformer with the Trainer of Hugging Face: one line records its loop and what it logs."""

import tempfile

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

import cirron as ci

ci.profile()

# Sequences of numbers below 50, and whether the first one is among the greater half.
torch.manual_seed(0)
sequences = torch.randint(50, (320, 8))
samples = [{"input_ids": each, "labels": int(each[0] >= 25)} for each in sequences]

sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
model = BertForSequenceClassification(BertConfig(vocab_size=50, **sizes))

with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder,
        num_train_epochs=2,
        learning_rate=0.003,
        per_device_train_batch_size=32,
        per_device_eval_batch_size=32,
        logging_steps=2,
        eval_strategy="epoch",
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    Trainer(model, arguments, train_dataset=samples[:256], eval_dataset=samples[256:]).train()

print("Where the time went:\n")
ci.trace()
