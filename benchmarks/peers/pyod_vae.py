"""Program that scores rows by the VAE of pyod.

  python -m benchmarks.peers.pyod_vae '{"rows": "rows.npz", …}'

The argument is a case with these keys: `rows`, a `.npz` file with the arrays
`train` and `new` of one row per example; `scores`, the `.npy` file to write,
with the score of each new row; `seed`; and `settings`, arguments of the class
`VAE`, whose other arguments have pyod's defaults.

It needs an environment with `anomaly_requirements.txt` in this directory.
"""

import importlib.metadata
import json
import sys

import numpy as np
from pyod.models import vae
import torch

_PACKAGES = ('pyod', 'torch', 'scikit-learn')


def main():
  """Trains, writes the scores and prints the versions."""
  case = json.loads(sys.argv[1])
  # PyTorch's threads wait in a spin loop, which costs time on shared cores.
  torch.set_num_threads(1)
  torch.manual_seed(case['seed'])
  with np.load(case['rows']) as file:
    train, new = file['train'], file['new']
  model = vae.VAE(random_state=case['seed'], device='cpu', verbose=0,
                  **case['settings'])
  model.fit(train)
  np.save(case['scores'], np.asarray(model.decision_function(new)))
  print(json.dumps({'versions': {
      name: importlib.metadata.version(name) for name in _PACKAGES}}),
        flush=True)


if __name__ == '__main__':
  main()
