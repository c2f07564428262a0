"""The last step of a verifier's training: weights half way back to ImageNet, and a new last layer.

A few thousand crops teach a network their own mistakes, too: it becomes surer of the animals it
was trained on and less sure of others. Half way between ImageNet's weights and the tuned ones, with
the last layer fitted again, fewer animals of other pictures are called horses (the model card has
the figures).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from engine.training.blending import between
from engine.training.verifier_net import VerifierNet, species_loss

TUNED_SHARE = 0.5
EPOCHS, BATCH, RATE, DECAY = 10, 256, 1e-3, 0.3
_LEAST_SPREAD = 1e-3


def half_way(start: VerifierNet, tuned: VerifierNet, share: float = TUNED_SHARE) -> VerifierNet:
    """A network whose weights lie ``share`` of the way from ``start`` to ``tuned``; both have
    their normalisations folded."""
    middle = copy.deepcopy(start)
    middle.load_state_dict(between(start.state_dict(), tuned.state_dict(), share))
    return middle.eval()


def refit_head(
    network: VerifierNet, batches: Iterable[tuple[Tensor, Tensor]], seed: int = 1
) -> None:
    """Fit the last layer of ``network`` anew: a multinomial regression on its pooled features.

    ``batches``: inputs float (B, 3, S, S) and species int64 (B,), on the network's device; each is
    asked for once.
    """
    network.eval()
    with torch.no_grad():
        described = [(network.pooled(inputs), species) for inputs, species in batches]
    features = torch.cat([pooled for pooled, _ in described])
    species = torch.cat([kinds for _, kinds in described])
    mean, spread = features.mean(dim=0), features.std(dim=0) + _LEAST_SPREAD
    features = (features - mean) / spread
    head = nn.Linear(features.shape[1], network.species.out_features).to(features.device)
    torch.manual_seed(seed)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimiser = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY)
    for epoch in range(EPOCHS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1.0 - epoch / EPOCHS)
        order = torch.randperm(len(species))
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            loss = species_loss(head(features[rows]), species[rows])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
    with torch.no_grad():
        network.species.weight.copy_(head.weight / spread)
        network.species.bias.copy_(head.bias - (head.weight * (mean / spread)).sum(dim=1))
