"""What the programs of transformers have in common: data, a model of a few hundred numbers, and a quiet Trainer."""

import os
import tempfile

os.environ |= {"TRANSFORMERS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)


def sentences(count):
    """A dataset of as many sentences of four words, each with a label."""
    generator = torch.Generator().manual_seed(1)
    words = torch.randint(0, 20, (count, 4), generator=generator)
    return [{"input_ids": sentence, "labels": sentence.sum() % 2} for sentence in words]


def bert():
    torch.manual_seed(2)
    return BertForSequenceClassification(
        BertConfig(
            vocab_size=20,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=8,
            max_position_embeddings=8,
        )
    )


def trainer(kind=Trainer, train=4, evaluate=2, callbacks=None, **arguments):
    """A Trainer with batches of two."""
    given = {"per_device_train_batch_size": 2, "per_device_eval_batch_size": 2, "save_strategy": "no"}
    made = kind(
        bert(),
        TrainingArguments(
            output_dir=tempfile.mkdtemp(dir="."),
            disable_tqdm=True,
            report_to=[],
            use_cpu=True,
            **given | arguments,
        ),
        train_dataset=sentences(train) if isinstance(train, int) else train,
        eval_dataset=sentences(evaluate) if isinstance(evaluate, int) else evaluate,
        callbacks=callbacks,
    )
    made.remove_callback(PrinterCallback)  # it prints how long things took
    return made
