"""Registration of choices by name, and the objects that they make."""

import dataclasses

import tensorflow as tf

from tfvae import registry
from tfvae.registry import Setting


@dataclasses.dataclass
class _Cake:
  size: int
  sugar: float = 0.5
  glaze: str = 'none'


def _cakes():
  """Returns a registry of two choices that share a setting."""
  cakes = registry.Registry('cake')
  sugar = Setting('cake_sugar', 0.25, 'sugar in kg', at_least=0)
  cakes.register('plain', sugar=sugar)(_Cake)
  cakes.register('glazed', sugar=sugar, glaze='lemon')(_Cake)
  return cakes


class RegistryTest(tf.test.TestCase):

  def test_is_a_mapping_in_the_order_of_registration(self):
    cakes = _cakes()
    self.assertEqual(list(cakes), ['plain', 'glazed'])
    self.assertLen(cakes, 2)
    self.assertIs(cakes['glazed'], _Cake)
    self.assertNotIn('cheese', cakes)

  def test_makes_objects_from_defaults_settings_and_constants(self):
    cakes = _cakes()
    self.assertEqual(cakes.make('plain', 3), _Cake(3, 0.25))
    self.assertEqual(
        cakes.make('glazed', size=2, settings={'cake_sugar': 1, 'other': 9}),
        _Cake(2, 1, 'lemon'))

  def test_arguments_precede_settings(self):
    self.assertEqual(
        _cakes().make('plain', 3, settings={'cake_sugar': 1.0}, sugar=0.1),
        _Cake(3, 0.1))

  def test_setting_of_none_leaves_the_argument_out(self):
    cakes = registry.Registry('cake')
    cakes.register('plain', sugar=Setting('sugar', None, 'sugar', float))(_Cake)
    self.assertEqual(cakes.make('plain', 1), _Cake(1, 0.5))

  def test_settings_name_the_choices_they_belong_to(self):
    setting, names = _cakes().settings()['cake_sugar']
    self.assertEqual(names, ('plain', 'glazed'))
    self.assertEqual((setting.kind, setting.default), (float, 0.25))
    self.assertEqual(setting.bounds, {'at_least': 0})

  def test_errors_name_settings_of_a_run(self):
    def make(sugar, size):
      raise ValueError(
          f'`sugar` must fit. Received: sugar={sugar}, size={size}')

    cakes = registry.Registry('cake')
    cakes.register('plain', sugar=Setting('cake_sugar', 1, 'sugar'), size=2)(
        make)
    for settings, name in ({'cake_sugar': 7}, 'cake_sugar'), (None, 'sugar'):
      with self.assertRaisesRegex(
          ValueError, f'^`{name}` must fit. Received: {name}=., size=2$'):
        cakes.make('plain', settings=settings)

  def test_unknown_name_lists_the_choices(self):
    with self.assertRaisesRegex(
        ValueError, "`cake` must be one of plain, glazed.*cake='cheese'"):
      _cakes().make('cheese', 1)

  def test_name_of_another_class_is_refused(self):
    with self.assertRaisesRegex(ValueError, "must be new.*name='plain'"):
      _cakes().register('plain')(dict)

  def test_module_may_be_executed_twice(self):
    cakes = _cakes()
    cakes.register('plain', sugar=2.0)(_Cake)  # As a notebook does.
    self.assertEqual(cakes.make('plain', 1), _Cake(1, 2.0))

  def test_setting_of_one_name_is_declared_once(self):
    cakes = _cakes()
    cakes.register('other', sugar=Setting('cake_sugar', 9.0, 'sugar'))(_Cake)
    with self.assertRaisesRegex(ValueError, 'cake_sugar.*plain, glazed, other'):
      cakes.settings()

  def test_public_names_are_those_that_are_imported(self):
    namespace = {'Cake': _Cake, '_hidden': 1, 'registry': registry,
                 'public_names': registry.public_names}
    self.assertEqual(registry.public_names(namespace), ['Cake'])


if __name__ == '__main__':
  tf.test.main()
