"""Train a network with PyTorch: one line records its epochs, evaluations, steps and weights."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

import cirron as ci

ci.profile()

images, digits = load_digits(return_X_y=True)
data = TensorDataset(torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(digits))
train, test = random_split(data, [1500, len(data) - 1500], torch.Generator().manual_seed(0))
train_loader, test_loader = DataLoader(train, batch_size=100, shuffle=True), DataLoader(test, batch_size=100)

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)

for _ in range(3):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        ci.mark("loss", loss)
    model.eval()
    with torch.no_grad():
        correct = sum((model(x).argmax(dim=1) == y).sum().item() for x, y in test_loader)

print(f"{correct / len(test):.1%} of the test digits are read correctly. Where the time went:\n")
ci.trace()
