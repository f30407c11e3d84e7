"""A flag of one's own: the number of layers of a flow prior.

A `Setting` in a registration makes an argument of the class a setting of the
run, with its default, its help text and its bounds, and so a flag:

  python docs/extending/flag.py --help
  python docs/extending/flag.py --workdir=runs/deep_maf --prior=deep_maf \
      --flow_layers=8

The flag has an effect with this prior only; with another one it is an error.
In Python the setting is `Config(prior='deep_maf', flow_layers=8)`, and the file
must be imported before `tfvae.training`.

Inside the package, a flag that belongs to no choice is one field of a group in
`tfvae/training/config`, such as `clip_norm` in `training.py`, and its use.
"""

from tfvae.priors import FlowPrior
from tfvae.priors import PRIORS
from tfvae.registry import Setting

PRIORS.register('deep_maf', kind='maf', num_layers=Setting(
    'flow_layers', 8, 'number of transformations of the prior deep_maf',
    at_least=1))(FlowPrior)

if __name__ == '__main__':
  from tfvae.__main__ import run  # After the registration.
  run()
