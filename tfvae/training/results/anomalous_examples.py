"""The most anomalous examples, and what is unusual about them."""

from collections.abc import Mapping, Sequence
import os
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import data
from tfvae import report
from tfvae.anomaly import detection_section
from tfvae.anomaly import Detector
from tfvae.anomaly import summarize
from tfvae.evaluation import Pictures
from tfvae.evaluation import Section
from tfvae.evaluation import Table
from tfvae.inference import observed
from tfvae.inference import unpack_batch
from tfvae.tables import Column
from tfvae.tables import texts
from tfvae.training.config import Config
from tfvae.training.results import use
from tfvae.training.results.json_files import read_json
from tfvae.training.results.predictions import Job
from tfvae.training.results.subject import Run

FACTS_FILE = 'detection.json'

_EXAMPLES = 16
_NAMED = 3  # Columns that are named of each row.
_UNUSUAL = 'most unusual values, nats'
_MOST_TESTED = 10_000  # Test examples on which the rate is measured.
_QUANTILE = 0.995  # Of the nats of elements, which is white in the pictures.


def anomalous_examples(job: Job, config: Config,
                       columns: Mapping[str, np.ndarray]
                       ) -> list[Table | Pictures]:
  """Returns a table of the most anomalous examples, and pictures of them.

  Args:
    job: Job that detected them.
    config: Settings of the run.
    columns: Columns of its result: 'id', 'score', 'p_value' and perhaps
      'label'.
  """
  order = np.argsort(-columns['score'], kind='stable')[:_EXAMPLES]
  rows = [next(job.rows.batches(int(i), int(i) + 1, 1)) for i in order]
  batch = {name: np.concatenate([row[name] for row in rows])
           for name in rows[0]}
  one_hot = use.one_hot_labels(job.rows, job.predictor.description)
  call = job.predictor.caller(
      batch['ids'], batch['x'], None if one_hot is None else one_hot(batch),
      config.evaluation.eval_seed)
  nats = call('detect')['contributions']
  heads = ['id', 'score', 'p-value', *(['label'] if 'label' in columns else [])]
  lines = [[str(columns['id'][i]), float(columns['score'][i]),
            f'{columns["p_value"][i]:.2g}',
            *([str(columns['label'][i])] if 'label' in columns else [])]
           for i in order]
  if job.rows.columns:
    heads.append(_UNUSUAL)
    lines = [[*line, _unusual(job.rows.columns, x, part)]
             for line, x, part in zip(lines, batch['x'], nats, strict=True)]
    return [Table('Most anomalous examples', heads, lines)]
  return [_pictures(batch['x'], call('reconstruct')['mean'], nats),
          Table('Most anomalous examples', heads, lines)]


def test_facts(detector: Detector, run: Run) -> dict[str, Any]:
  """Returns figures of the alarms in the test split, and its examples.

  Args:
    detector: Calibrated detector.
    run: Run with its data.

  Returns:
    Those of `anomaly.summarize`, with 'scores', their names, and 'examples', a
    dictionary for each of the most anomalous ones.
  """
  found = detector.detect(run.subject.test.first(_MOST_TESTED))
  facts = summarize(detector.calibration, detector.false_alarms, found.score,
                    found.is_anomaly)
  columns = detector.reference.columns
  examples = []
  for i in np.argsort(-found.score, kind='stable')[:_EXAMPLES]:
    example = {'row': int(i), 'score': float(found.score[i]),
               'p_value': float(found.p_values[i])}
    if columns:
      x = data.stored(run.images.test.images)[int(i):int(i) + 1][0]
      example['unusual'] = _unusual(columns, x, found.contributions[i])
    examples.append(example)
  return facts | {'scores': list(detector.scores), 'examples': examples}


def section_of_run(run: Run, workdir: str) -> dict[str, Section]:
  """Returns the section of the report on a run that was calibrated.

  Args:
    run: Run with its data.
    workdir: Directory of the run, which has the file of `test_facts`.
  """
  facts = read_json(os.path.join(workdir, FACTS_FILE))
  if facts is None:
    return {}
  examples = facts['examples']
  has_text = 'unusual' in examples[0]
  charts = [Table(
      'Most anomalous test examples',
      ['row', 'score', 'p-value', *[_UNUSUAL] * has_text],
      [[str(e['row']), e['score'], f'{e["p_value"]:.2g}',
        *([e['unusual']] if has_text else [])] for e in examples])]
  if not has_text:
    rows = [example['row'] for example in examples]
    inputs = next(iter(run.subject.test.first(max(rows) + 1).unbatch().batch(
        max(rows) + 1)))
    inputs = tf.nest.map_structure(
        lambda part: tf.gather(part, rows), unpack_batch(inputs)[0])
    x = observed(inputs)['x'].numpy()
    charts.insert(0, _pictures(x, run.model(inputs, training=False).mean()))
  return {'anomalies': detection_section(facts, facts['scores'], charts)}


def _unusual(columns: Sequence[Column], x: np.ndarray,
             nats: np.ndarray) -> str:
  """Returns the values of a row that are most unusual."""
  return '; '.join(
      f'{columns[i].name} = {texts(columns[i], x[i:i + 1])[0]}: {nats[i]:.1f}'
      for i in np.argsort(-nats)[:_NAMED])


def _pictures(x: np.ndarray, mean: Any,
              nats: np.ndarray | None = None) -> Pictures:
  """Returns examples, their reconstructions, and where their nats are."""
  display = report.Display(x)
  rows = [display(x), display(np.asarray(mean))]
  title = ('From top to bottom: the most anomalous examples, their '
           'reconstructions E[x|z] (the nearest normal examples)')
  if nats is not None:
    high = max(np.quantile(nats, _QUANTILE), 1e-6)
    share = np.clip(nats / high, 0, 1)
    rows.append(share.mean(axis=-1, keepdims=True) if display.is_image
                else report.Display(share)(share))
    title += f', and the nats of each element, white from {high:.3g} on'
  channels = max(part.shape[-1] for part in rows)
  return Pictures(
      title, np.stack([np.broadcast_to(part, (*part.shape[:-1], channels))
                       for part in rows]),
      f'{len(x)} anomalous examples above their reconstructions.')
