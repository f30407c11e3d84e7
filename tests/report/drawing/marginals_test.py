"""The picture of the columns of a table, and of samples."""

import numpy as np
import tensorflow as tf

from tfvae import report
from tfvae.tables import Column


class MarginalsTest(tf.test.TestCase):

  def test_shares_are_those_of_the_rows(self):
    columns = (Column('size', 'real'),
               Column('color', 'categorical', 'string', ('red', 'blue')),
               Column('grade', 'ordinal', 'string', ('c', 'b', 'a')))
    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(size=40), rng.integers(1, 3, 40),
                  rng.integers(0, 3, 40)], axis=1)
    samples = np.stack([10 * rng.normal(size=30), np.full(30, 2.),
                        np.zeros(30)], axis=1)
    weights = rng.uniform(0.5, 2, 40)
    figure = report.draw_marginals(columns, x, samples, weights)
    size, color, grade = figure.axes
    self.assertEqual([axes.get_title() for axes in figure.axes],
                     ['size', 'color', 'grade'])

    data, made = (patch.get_data() for patch in size.patches)
    edges = np.linspace(x[:, 0].min(), x[:, 0].max(), 21)
    self.assertAllClose(data.edges, edges)
    for stairs, values, own in ((data, x[:, 0], weights),
                                (made, samples[:, 0], np.ones(30))):
      within = [(low <= values) & (
          (values < high) | ((values == high) & (high == edges[-1])))
                for low, high in zip(edges[:-1], edges[1:], strict=True)]
      self.assertAllClose(
          stairs.values, [own[inside].sum() / own.sum() for inside in within])

    # The most frequent category first, and none that no row has.
    share = weights[x[:, 1] == 2].sum() / weights.sum()
    names = ['blue', 'red'] if share > 0.5 else ['red', 'blue']
    self.assertEqual([text.get_text() for text in color.get_xticklabels()],
                     names)
    self.assertAllClose(sorted(bar.get_height() for bar in color.patches),
                        sorted([share, 1 - share, 1., 0.]))
    # Ordinal categories keep their order.
    self.assertEqual([text.get_text() for text in grade.get_xticklabels()],
                     ['c', 'b', 'a'])
    self.assertAllClose(
        [bar.get_height() for bar in grade.patches],
        [*(weights[x[:, 2] == code].sum() / weights.sum() for code in range(3)),
         1., 0., 0.])

  def test_missing_values_are_left_out(self):
    columns = (Column('size', 'real'), Column('grade', 'ordinal', 'string',
                                              ('c', 'b', 'a')))
    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(size=40), rng.integers(0, 3, 40)], axis=1)
    weights = rng.uniform(0.5, 2, 50)
    missing = np.concatenate([x, np.full([10, 2], np.nan)])
    ends = []
    for rows, own in ((x, weights[:40]), (missing, weights)):
      size, grade = report.draw_marginals(columns, rows, x, own).axes
      ends.append([size.patches[0].get_data().values,
                   [bar.get_height() for bar in grade.patches]])
    for one, other in zip(*ends, strict=True):
      self.assertAllClose(one, other)
    report.draw_marginals(columns, np.full([3, 2], np.nan), x)


if __name__ == '__main__':
  tf.test.main()
