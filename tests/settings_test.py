"""Declared settings, and those that a registry adds."""

import dataclasses

from absl.testing import parameterized
import tensorflow as tf

from tfvae.registry import Registry
from tfvae.registry import Setting
from tfvae.settings import check_settings
from tfvae.settings import choices_of
from tfvae.settings import extended_by
from tfvae.settings import setting

_SHAPES, _COLORS = Registry('shape'), Registry('colors')
_WIDTH = Setting('width', 2.0, 'width of the shape', above=0)
_SHAPES.register('point')(str)
_SHAPES.register('box', width=_WIDTH, rounds=Setting(
    'rounding', None, 'radius of the corners', float))(int)
_SHAPES.register('disk', width=_WIDTH)(float)
_COLORS.register('red', shade=Setting('shade', 1, 'shade of red', at_most=9))(
    int)


@dataclasses.dataclass(frozen=True)
@extended_by(shape=_SHAPES, colors=_COLORS)
class _Drawing:
  """Settings with one choice of a registry, and several of another."""

  colors: tuple[str, ...] = setting(('red',), 'colors', ('all', _COLORS))
  shape: str = setting('point', 'shape', _SHAPES)
  size: int = setting(3, 'size', at_least=1)

  def __post_init__(self):
    """Validates the values."""
    check_settings(self)


class ExtendedByTest(tf.test.TestCase, parameterized.TestCase):

  def test_fields_follow_their_choice(self):
    fields = {field.name: field for field in dataclasses.fields(_Drawing)}
    self.assertEqual(
        list(fields),
        ['colors', 'shape', 'width', 'rounding', 'size', 'shade'])
    self.assertEqual(fields['width'].type, float)
    self.assertEqual(fields['rounding'].type, float | None)
    self.assertEqual(fields['width'].metadata['only_with'],
                     {'shape': ('box', 'disk')})

  def test_choices_are_those_of_the_registry_at_the_time(self):
    field = dataclasses.fields(_Drawing)[0]
    self.assertEqual(choices_of(field), ('all', 'red'))
    _COLORS.register('blue')(int)
    self.addCleanup(_COLORS._choices.pop, 'blue')
    self.assertEqual(choices_of(field), ('all', 'red', 'blue'))

  @parameterized.parameters(
      (dict(width=1.), 'no effect with .*shape=point'),
      (dict(shape='box', width=0.), 'width.* must be above 0'),
      (dict(shape='ring'), 'shape.* must be one of point, box, disk'),
      (dict(colors=('green',)), 'colors.* must be one of all, red'),
      (dict(shade=10), 'shade.* must be at most 9'))
  def test_rejects(self, settings, message):
    with self.assertRaisesRegex(ValueError, message):
      _Drawing(**settings)

  def test_accepts_what_has_an_effect(self):
    self.assertEqual(_Drawing(shape='disk', width=1., shade=9).width, 1.0)


if __name__ == '__main__':
  tf.test.main()
