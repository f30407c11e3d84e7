"""Parts of a pipeline that run on the workers.

A worker needs Apache Beam with pyarrow, NumPy and TensorFlow, but not tfvae.
The modules of this package import nothing of tfvae except
`tfvae.inference.rows`, and `send_by_value` makes Beam send both to the workers
as code, in place of the names of modules that a worker would import.
"""

from apache_beam.internal.cloudpickle import cloudpickle

from tfvae.inference import rows
from tfvae.pipelines import worker


def send_by_value():
  """Makes Beam pickle the modules of the workers by value."""
  for module in (worker, rows):
    cloudpickle.register_pickle_by_value(module)
