"""Trains one peer in this process and prints what it measured of itself.

  python -m benchmarks.peers.process '{"peer": "hand_xla", "model": "mlp", …}'

A case, the argument, has these keys: `peer`, one of `PEERS`; `model`, mlp or
conv; `batch_size`; `importance_samples`; `images` and `epochs` to train on;
`started`, the `time.time()` of this process's start; `data_dir`, for a peer
that reads TFDS; and `mnist`, a file that `benchmarks.peers.mnist` wrote, unless
`scored` is false, which leaves out the evaluation, for a peer that reads TFDS.
It may have `ends_at_first_step`; and for tfvae `workdir`, and `flags` beside
those of the case.

A peer whose framework is not among tfvae's requirements runs in an environment
of its own; `requirements.txt` beside this file has its versions.
"""

import importlib
import importlib.metadata
import json
import sys

from benchmarks.peers.watch import Ended
from benchmarks.peers.watch import Watch

# By name: the module in this package, and the form of the peer in it.
PEERS = {
    'tfvae': ('tfvae_program', None),
    'hand_xla': ('hand_written', 'xla'),
    'hand_graph': ('hand_written', 'graph'),
    'keras3': ('keras3_example', 'as written'),
    'keras3_graph_50': ('keras3_example', 'graph, 50 steps'),
    'keras3_xla_50': ('keras3_example', 'XLA, 50 steps'),
    'tfp': ('tfp_notebook', 'as written'),
    'tfp_xla_50': ('tfp_notebook', 'XLA, 50 steps'),
    'jax': ('flax_example', None),
    'torch': ('torch_example', 'as written'),
    'torch_compile': ('torch_example', 'compiled'),
    'pythae': ('pythae_vae', None),
}

# A record has the versions of those that the process imported.
_FRAMEWORKS = (
    'tensorflow', 'tensorflow-probability', 'tf_keras', 'keras', 'jax',
    'jaxlib', 'flax', 'optax', 'torch', 'pythae', 'numpy')


def main():
  """Trains, evaluates and prints."""
  case = json.loads(sys.argv[1])
  watch = Watch(case['started'], case.get('ends_at_first_step', False))
  module, form = PEERS[case['peer']]
  # Imported only now: it is a part of what starting up takes.
  peer = importlib.import_module(f'benchmarks.peers.{module}')
  try:
    watch.record |= peer.train(case, form, watch)
  except Ended:
    pass
  watch.record['versions'] = {
      name: importlib.metadata.version(name) for name in _FRAMEWORKS
      if name.replace('-', '_') in sys.modules}
  watch.print()


if __name__ == '__main__':
  main()
