"""The pipeline of `tfvae.pipelines.encode`."""

import argparse
from collections.abc import Sequence
import json

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import MetricsFilter
from apache_beam.ml.inference.base import KeyedModelHandler
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.options.pipeline_options import StandardOptions
import pyarrow as pa

from tfvae.pipelines import worker
from tfvae.pipelines.exported import Exported
from tfvae.pipelines.sources import Source
from tfvae.pipelines.sources import source
from tfvae.pipelines.worker.model import Results
from tfvae.pipelines.worker.model import SavedModelHandler
from tfvae.pipelines.worker.tables import FAILED

_WITH_JOB_SERVICE = ('FlinkRunner', 'PortableRunner', 'SparkRunner')


def run(flags: argparse.Namespace, arguments: Sequence[str]
        ) -> tuple[int, int] | None:
  """Runs the pipeline to its end.

  Args:
    flags: Flags of the program.
    arguments: Options of Beam.

  Returns:
    Numbers of rows with a result and without one, or None if the runner does
    not report metrics.

  Raises:
    ValueError: If the export, the input, the output or an option is invalid.
    RuntimeError: If the job fails.
  """
  options = _options(arguments)
  exported = Exported(flags.model, [
      flags.task, *['log_likelihood'] * flags.log_likelihood])
  found = source(flags.input, exported, flags.id_key, flags.eval_seed)
  output = flags.output.rstrip('/')
  if FileSystems.match([f'{output}/*'], [1])[0].metadata_list:
    raise ValueError('The output exists; choose another directory, or delete '
                     f'this one. Received: --output={flags.output}')
  worker.send_by_value()
  pipeline = beam.Pipeline(options=options)
  _build(pipeline, exported, found, output, min_batch_size=flags.min_batch_size,
         max_batch_size=flags.max_batch_size)
  result = pipeline.run()
  state = result.wait_until_finish()
  if state not in (None, beam.runners.runner.PipelineState.DONE):
    raise RuntimeError(f'The job ended in the state {state}')
  return _counts(result)


def _options(arguments: Sequence[str]) -> PipelineOptions:
  """Returns the options of Beam.

  Raises:
    ValueError: If there is no such option. Only a job service may have options
      that Beam for Python does not know.
  """
  options = PipelineOptions(list(arguments))
  known = options.get_all_options()
  unknown = options.get_all_options(retain_unknown_options=True).keys() - known
  runner = options.view_as(StandardOptions).runner
  if unknown and runner not in _WITH_JOB_SERVICE:
    raise ValueError('There are no flags and no options of Beam of these names:'
                     f' {", ".join(f"--{name}" for name in sorted(unknown))}')
  return options


def _build(pipeline: beam.Pipeline, exported: Exported, found: Source,
           output: str, **batching: int):
  """Adds the steps to a pipeline."""
  names = [field.name for field in found.fields]
  outputs = exported.outputs()
  handler = SavedModelHandler(
      exported.path, exported.signatures,
      names + ['seed'] * exported.takes_seed, [name for name, _ in outputs],
      **batching)
  rows, *failures = found.read(pipeline)
  results = rows | RunInference(KeyedModelHandler(handler)) | (
      beam.ParDo(Results([field.name for _, field in outputs])).with_outputs(
          FAILED, main='rows'))
  ids = pa.int64() if found.has_integer_ids else pa.string()
  _ = results.rows | beam.io.WriteToParquet(
      f'{output}/part', pa.schema([('id', ids), *(f for _, f in outputs)]),
      codec='snappy', file_name_suffix='.parquet')
  _ = (*failures, results[FAILED]) | beam.Flatten() | beam.Map(json.dumps) | (
      beam.io.WriteToText(f'{output}/failed', file_name_suffix='.jsonl',
                          skip_if_empty=True))


def _counts(result: beam.runners.runner.PipelineResult
            ) -> tuple[int, int] | None:
  counters = result.metrics().query(
      MetricsFilter().with_namespace('tfvae'))['counters']
  counts = {'rows': 0, 'failed': 0}
  for counter in counters:
    counts[counter.key.metric.name] += counter.result or 0
  return (counts['rows'], counts['failed']) if counters else None
