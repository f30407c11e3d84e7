"""Trains one peer in this process and prints what it measured of itself.

  python -m benchmarks.peers.process '{"peer": "hand_xla", "model": "mlp", …}'

A case, the argument, has these keys: `peer`, one of `PEERS`; `model`, mlp or
conv; `batch_size`; `importance_samples`; `images` and `epochs` to train on;
`data_dir`; `started`, the `time.time()` of this process's start. It may have
`scored`, false to leave out the evaluation; `ends_at_first_step`; and for tfvae
`workdir`, and `flags` beside those of the case.
"""

import importlib
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
}


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
  watch.print()


if __name__ == '__main__':
  main()
