"""Program that trains one peer and prints its measurements.

  python -m benchmarks.peers.process '{"peer": "hand_xla", "model": "mlp", …}'

The argument is a case, a dictionary with these keys: `peer`, one of `PEERS`;
`model`, mlp, conv or digits; `batch_size`; `importance_samples`; `images` and
`epochs` to train on; `started`, the `time.time()` at the start of this process;
`data_dir`, for a peer that reads TFDS; and `mnist`, a directory that
`benchmarks.peers.mnist` wrote to. A peer that reads TFDS does not need `mnist`
if `scored` is false, which skips the evaluation. Optional keys are
`ends_at_first_step` and, for tfvae, `workdir` and additional `flags`.

A peer whose framework is not a requirement of tfvae runs in a separate
environment with the versions of `requirements.txt` in this directory.
"""

import importlib
import importlib.metadata
import json
import sys

from benchmarks.peers.watch import Ended
from benchmarks.peers.watch import Watch

# Module in this package and form of the peer, by name.
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

# A record has the versions of the frameworks that the process imported.
_FRAMEWORKS = (
    'tensorflow', 'tensorflow-probability', 'tf_keras', 'keras', 'jax',
    'jaxlib', 'flax', 'optax', 'torch', 'pythae', 'numpy')


def main():
  """Trains, evaluates and prints."""
  case = json.loads(sys.argv[1])
  watch = Watch(case['started'], case.get('ends_at_first_step', False))
  module, form = PEERS[case['peer']]
  # Imported here, because the import is part of the start-up time.
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
