"""The factorization notation: its forms, mistakes and meaning."""

import copy
import pickle
import re

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae import graph

_TWO = {'latents': 'z1:5,z2:3', 'inference': 'z1|x; z2|z1',
        'generative': 'z2; z1|z2; x|z1'}

# Arguments, canonical inference and generative text.
_GOOD = {
    'plain': (('z:50',), 'z|x', 'z; x|z'),
    'plain_other_name': (('code:7',), 'code|x', 'code; x|code'),
    'one_side_given': (('z:2', 'z|y,x'), 'z|x,y', 'z; x|z'),
    'other_side_given': (('z:2', None, 'z|y; x|z'), 'z|x', 'z|y; x|z'),
    'openings': ((' z1:5 , z2:3', 'q: z2|x; z1|z2,x', ' p :z2; z1|z2;x|z1 '),
                 'z2|x; z1|z2,x', 'z2; z1|z2; x|z1'),
    'any_order_and_space': (
        ('z1:5,z2:3', 'z2|z1;\n  z1 | x', 'x|z1;z1|\tz2;z2'),
        'z1|x; z2|z1', 'z2; z1|z2; x|z1'),
    'parents_reordered': (
        ('a:1,b:2', 'a|y,x,b; b|x', 'a|y; b|a; x|y,b,a'),
        'b|x; a|b,x,y', 'a|y; b|a; x|a,b,y'),
    'ties_of_q_as_p': (('z1:5,z2:3', 'z1|x; z2|x', 'z2; z1|z2; x|z1'),
                       'z2|x; z1|x', 'z2; z1|z2; x|z1'),
    'ties_of_p_as_declared': (('b:1,a:1', 'a|x; b|x', 'a; b; x|a,b'),
                              'b|x; a|x', 'b; a; x|b,a'),
    'mapping': (({'z1': 5, 'z2': 3}, 'z1|x; z2|z1', 'z2; z1|z2; x|z1,z2'),
                'z1|x; z2|z1', 'z2; z1|z2; x|z1,z2'),
    'q_and_p_as_names': (('q:1,p:2', 'q|x; p|q', 'p: p; q|p; x|q'),
                         'q|x; p|q', 'p; q|p; x|q'),
}

# Changes to _TWO, the part that the message shows, and its remedy.
_MISTAKES = {
    'cycle': ({'generative': 'z1|z2; z2|z1; x|z1'},
              "'z1|z2; z2|z1' form the cycle z1 -> z2 -> z1:", 'remove one'),
    'own_parent': ({'inference': 'z1|z1,x; z2|z1'},
                   "'z1|z1,x' form the cycle z1 -> z1:", 'remove one'),
    'x_its_own_parent': ({'generative': 'z1; z2; x|z1,z2,x'},
                         "'x|z1,z2,x' form the cycle x -> x:", 'remove one'),
    'unknown_variable': ({'inference': 'z1|x; w|z1'},
                         "'w|z1' has the unknown variable 'w'", "'w:50'"),
    'unknown_parent': ({'inference': 'z1|x; z2|zz1'},
                       "'z2|zz1' has the unknown variable 'zz1'",
                       "did you mean 'z1'? If not, declare"),
    'wrong_case': ({'inference': 'z1|X; z2|z1'},
                   "'z1|X' has the unknown variable 'X'", "did you mean 'x'?"),
    'unused': ({'latents': 'z1:5,z2:3,z3:2'},
               "'z3:2' has no inference and no generative factor",
               "add 'z3|x' to `inference`, or remove the latent"),
    'not_inferred': ({'inference': 'z1|x'},
                     "'z2:3' has no inference factor", "add 'z2|x' to `inf"),
    'not_generated': ({'generative': 'z1; x|z1'},
                      "'z2:3' has no generative factor", "add 'z2' to `gen"),
    'no_datum': ({'generative': 'z2; z1|z2'},
                 "'z2; z1|z2' have no factor for the datum", "add 'x|z1'"),
    'datum_inferred': ({'inference': 'z1|x; z2|z1; x|z1'},
                       "'x|z1' is for 'x', which is observed", 'remove it'),
    'datum_as_cause': ({'generative': 'z2|x; z1|z2; x|z1'},
                       "'z2|x' depends on 'x'", 'remove that parent'),
    'label_generated': ({'generative': 'y; z2|y; z1|z2; x|z1'},
                        "has the generative factor 'y' and no inference factor",
                        "add 'y|x' to `inference` so that y may be missing"),
    'label_inferred': ({'inference': 'z1|x; z2|z1; y|x'},
                       "the inference factor 'y|x' and no generative factor",
                       "add 'y' to `generative` so that y may be missing"),
    'label_without_datum': ({'inference': 'z1|x; z2|z1; y',
                             'generative': 'y; z2|y; z1|z2; x|z1'},
                            "No path leads from x to the inference factor 'y'",
                            "write 'y|x'"),
    'barren_label': ({'inference': 'z1|x; z2|z1; y|x',
                      'generative': 'y; z2; z1|z2; x|z1'},
                     "leads from the generative factor 'y' to 'x|z1'",
                     "write 'x|y,z1', or remove the label"),
    'two_factors': ({'inference': 'z1|x; z2|z1; z1|x,z2'},
                    "'z1|x,z2' is the second for 'z1', after 'z1|x'", 'keep'),
    'two_equal_parents': ({'inference': 'z1|x; z2|z1,x,z1'},
                          "'z2|z1,x,z1' lists a parent twice",
                          "write 'z2|z1,x'"),
    'barren_latent': ({'generative': 'z1; z2|z1; x|z1'},
                      "leads from the generative factor 'z2|z1' to 'x|z1'",
                      "write 'x|z2,z1', or remove the latent"),
    'datum_without_latents': ({'generative': 'z1; z2|z1; x|y'},
                              "leads from the generative factor 'z1' to 'x|y'",
                              "write 'x|z1,y'"),
    'blind_posterior': ({'inference': 'z1|x; z2'},
                        "No path leads from x to the inference factor 'z2'",
                        "write 'z2|x'"),
    'posterior_of_label': ({'inference': 'z1|x,z2; z2|y'},
                           "No path leads from x to the inference factor "
                           "'z2|y'", "write 'z2|y,x'"),
    'no_size': ({'latents': 'z1:5,z2'}, "'z2:' has no size", "write 'z2:50'"),
    'empty_size': ({'latents': 'z1:5,z2: '}, "'z2:' has no size", "'z2:50'"),
    'zero_size': ({'latents': 'z1:5,z2:0'}, "'z2:0'", 'positive integer'),
    'negative_size': ({'latents': 'z1:5,z2:-3'}, "'z2:-3'", 'positive integer'),
    'fractional_size': ({'latents': 'z1:5,z2:2.5'}, "'z2:2.5'", "'z2:50'"),
    'size_in_words': ({'latents': 'z1:five,z2:3'}, "'z1:five'", "'z1:50'"),
    'size_not_int': ({'latents': {'z1': 5.0, 'z2': 3}}, "'z1:5.0'", "'z1:50'"),
    'size_bool': ({'latents': {'z1': True, 'z2': 3}}, "'z1:True'", "'z1:50'"),
    'keyword': ({'latents': 'z1:5,lambda:3'}, "'lambda:3'", "call it 'z'"),
    'argument_of_tfp': ({'latents': 'z1:5,value:3'}, "'value:3'", "it 'z'"),
    'two_equal_latents': ({'latents': 'z1:5,z2:3,z1:5'},
                          "'z1:5' is declared twice", 'keep one, or rename'),
    'latent_x': ({'latents': 'z1:5,x:3'}, "'x:3' has a name that", "call it"),
    'latent_y': ({'latents': 'y:5,z2:3'}, "'y:5' has a name that", "call it"),
    'latent_name': ({'latents': 'z1:5,2z:3'}, "'2z:3' needs a name", 'letter'),
    'latent_comma': ({'latents': 'z1:5,z2:3,'}, "':' needs a name", "'z1:50'"),
    'no_latent': ({'latents': {}}, 'There is no latent', "`latents='z:50'`"),
    'nothing_said': (
        {'inference': None, 'generative': None}, '2 latents can depend',
        "`inference='z1|x; z2|z1'` and `generative='z2; z1|z2; x|z1'`"),
    'no_generative': ({'generative': None}, '2 latents can depend',
                      "for example, `generative='z2; z1|z2; x|z1'`. "),
}

# Inference text, the factor in the message, the character that it marks, and
# its remedy.
_SYNTAX = {
    'empty_text': ('', '', 1, "is empty: write one, or remove a ';'"),
    'empty_factor': ('z1|x;; z2|z1', '', 6, "remove a ';'"),
    'trailing_semicolon': ('z1|x; z2|z1;', '', 13, "remove a ';'"),
    'opening_only': ('q:', '', 3, 'write one'),
    'trailing_comma': ('z1|x; z2|z1,', 'z2|z1,', 13, "write 'z2|z1'"),
    'double_comma': ('z1|x,,z2; z2|z1', 'z1|x,,z2', 6, "write 'z1|x,z2'"),
    'no_parent': ('z1|; z2|z1', 'z1|', 4, "lacks a parent: write 'z1'"),
    'no_variable': ('z1|x; |z1', '|z1', 7, "write one before the '|'"),
    'doubled_bar': ('z1||x; z2|z1', 'z1||x', 4, "write 'z1|x'"),
    'second_bar': ('z1|x; z2|z1|x', 'z2|z1|x', 12, "write 'z2|z1,x'"),
    'no_semicolon': ('z1|x z2|z1', 'z1|x z2|z1', 6, "lacks a ';' after its "
                     "first factor: write 'z1|x; z2|z1'"),
    'space_for_bar': ('z1 x; z2|z1', 'z1 x', 4, "lacks a '|' after its "
                      "variable: write 'z1|x'"),
    'comma_for_bar': ('z1|x; z2,z1,x', 'z2,z1,x', 9, "write 'z2|z1,x'"),
    'space_for_comma': ('z1|x; z2|z1 x', 'z2|z1 x', 13, "lacks a ',' between "
                        "its parents: write 'z2|z1,x'"),
    'bad_variable': ('1z|x; z2|z1', '1z|x', 1, 'has a bad name: a name is a'),
    'bad_parent': ('z1|x; z2|z-1', 'z2|z-1', 11, 'a name is a letter'),
    'mathematics': ('q(z1|x)', 'q(z1|x)', 2, 'a name is a letter'),
    'size_in_factor': ('z1:5|x; z2|z1', 'z1:5|x', 3, 'a name is a letter'),
    'not_ascii': ('z1|x; ζ|z1', 'ζ|z1', 7, 'a name is a letter'),
}


class GraphicalModelTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.named_parameters((k, *v) for k, v in _GOOD.items())
  def test_canonical_text(self, arguments, inference, generative):
    model = graph.GraphicalModel.parse(*arguments)
    self.assertEqual(model.inference_text, inference)
    self.assertEqual(model.generative_text, generative)
    self._assert_round_trip(model)

  @parameterized.named_parameters(
      ('vae', 1, ('z',), ('z', 'x'), {'z': True}, False),
      ('two_layer', 2, ('z1', 'z2'), ('z2', 'z1', 'x'),
       {'z1': False, 'z2': True}, False),
      ('ladder', 2, ('z2', 'z1'), ('z2', 'z1', 'x'),
       {'z1': True, 'z2': True}, False),
      ('conditional', 1, ('z',), ('z', 'x'), {'z': True}, True))
  def test_presets(self, count, inference_order, generative_order, exact,
                   conditional):
    preset = self._testMethodName.removeprefix('test_presets_')
    model = graph.GraphicalModel.parse(**graph.PRESETS[preset])
    self.assertLen(model.latents, count)
    self.assertEqual(model.inference_order, inference_order)
    self.assertEqual(model.generative_order, generative_order)
    self.assertEqual(exact, {z: model.allows_exact_kl(z) for z in exact})
    self.assertEqual(model.is_conditional, conditional)
    # A preset is written as the model prints.
    self.assertEqual(model.to_config(), graph.PRESETS[preset])

  def test_every_preset_is_tested(self):
    for preset in graph.PRESETS:
      self.assertTrue(hasattr(self, f'test_presets_{preset}'), preset)

  def test_look_ups(self):
    model = graph.GraphicalModel.parse(
        'z1:5,z2:3', 'z2|x; z1|x,z2', 'z2|y; z1|z2; x|z1')
    self.assertEqual(model.latents, (('z1', 5), ('z2', 3)))
    self.assertEqual(model.latent_size('z2'), 3)
    self.assertEqual(model.parents('inference', 'z1'), ('z2', 'x'))
    self.assertEqual(model.parents('generative', 'z2'), ('y',))
    self.assertEqual(model.parents('generative', 'x'), ('z1',))
    self.assertEqual(
        str(model),
        'z1:5,z2:3 · q: z2|x; z1|z2,x · p: z2|y; z1|z2; x|z1')

  def test_look_ups_refuse(self):
    model = graph.GraphicalModel.parse(**_TWO)
    with self.assertRaisesRegex(
        ValueError, "`side` must be one of.*Received: side='q'"):
      model.parents('q', 'z1')
    with self.assertRaisesRegex(ValueError, "'z1', 'z2'.*name='x'"):
      model.parents('inference', 'x')
    for method in (model.latent_size, model.allows_exact_kl):
      with self.assertRaisesRegex(ValueError, "z1:5,z2:3.*name='x'"):
        method('x')

  @parameterized.named_parameters((k, *v) for k, v in _MISTAKES.items())
  def test_mistake(self, changes, at_fault, remedy):
    message = f'{re.escape(at_fault)}.*{re.escape(remedy)}.*Received: '
    with self.assertRaisesRegex(ValueError, message):
      graph.GraphicalModel.parse(**_TWO | changes)

  @parameterized.named_parameters((k, *v) for k, v in _SYNTAX.items())
  def test_mistake_of_syntax(self, text, at_fault, character, remedy):
    with self.assertRaises(ValueError) as raised:
      graph.GraphicalModel.parse(**_TWO | {'inference': text})
    message, shown, mark = str(raised.exception).split('\n')
    self.assertStartsWith(message, f"The inference factor '{at_fault}' ")
    self.assertIn(remedy, message)
    self.assertEqual(shown, f"inference='{text}'")
    self.assertEqual(mark.index('^'), len("inference='") + character - 1)
    self.assertEndsWith(mark, f'character {character}')

  def test_opening_of_the_other_side(self):
    with self.assertRaisesRegex(
        ValueError, "'q:' does not open generative factors: write 'p:'"):
      graph.GraphicalModel.parse(**_TWO | {'generative': 'q: z1|x'})

  def test_constructor_checks_too(self):
    factor = graph.Factor
    self.assertEqual(str(factor('z1', ['z2', 'x'])), 'z1|z2,x')
    self.assertEqual(str(factor('z')), 'z')
    with self.assertRaisesRegex(ValueError, "Factor 'z 1.x' has a bad name"):
      factor('z 1', ('x',))
    with self.assertRaisesRegex(ValueError, "has no inference factor"):
      graph.GraphicalModel('z:3', (), (factor('z'), factor('x', ('z',))))
    built = graph.GraphicalModel(
        {'z': 3}, [factor('z', ['x'])], [factor('x', ['z']), factor('z')])
    self.assertEqual(built, graph.GraphicalModel.parse('z:3'))

  def test_random_graphs(self):
    rng = np.random.default_rng(0)
    for _ in range(200):
      names, q, p = _random_parents(rng)
      latents = {name: int(rng.integers(1, 99)) for name in names}
      model, same = (graph.GraphicalModel.parse(
          latents, _scrambled_text(rng, q), _scrambled_text(rng, p))
                     for _ in range(2))
      self.assertEqual(model, same)
      self._assert_round_trip(model)
      self.assertEqual(dict(model.latents), latents)
      self.assertEqual(model.generative_order[-1], 'x')
      self.assertEqual(model.is_conditional,
                       'y' in {v for s in (q, p) for v in sum(s.values(), [])})
      for side, parents in (('inference', q), ('generative', p)):
        order = getattr(model, f'{side}_order')
        self.assertCountEqual(order, parents)
        for variable in parents:
          self.assertCountEqual(model.parents(side, variable),
                                parents[variable])
          before = order[:order.index(variable)]
          self.assertContainsSubset(set(parents[variable]) & set(order), before)

  def test_exact_kl_is_unbiased_where_and_only_where_it_is_allowed(self):
    # Binary latents with random tables: both sides are sums over all states.
    rng = np.random.default_rng(1)
    verdicts = []
    for _ in range(200):
      names, q, p = _random_parents(rng, most=4)
      model = graph.GraphicalModel.parse(
          dict.fromkeys(names, 1), _scrambled_text(rng, q),
          _scrambled_text(rng, p))
      log_q = {z: _random_log_table(rng, z, q[z], names) for z in names}
      log_p = {z: _random_log_table(rng, z, p[z], names) for z in names}
      joint = np.exp(sum(log_q.values()))
      self.assertAllClose(joint.sum(), 1.)
      for axis, z in enumerate(names):
        log_ratio = log_q[z] - log_p[z]
        kl = np.sum(np.exp(log_q[z]) * log_ratio, axis, keepdims=True)
        bias = np.sum(joint * kl) - np.sum(joint * log_ratio)
        verdicts.append(model.allows_exact_kl(z))
        if verdicts[-1]:
          self.assertLess(abs(bias), 1e-13)
        else:
          self.assertGreater(abs(bias), 1e-6)
    self.assertGreaterEqual(min(map(verdicts.count, (True, False))), 50)

  def test_no_order_may_sample_the_parents_of_every_prior_first(self):
    # a -> b and c -> d in q, d -> a and b -> c in p: each waits for another.
    model = graph.GraphicalModel.parse(
        'a:1,b:1,c:1,d:1', 'a|x; b|a; c|x; d|c', 'b; d; a|d; c|b; x|a,c')
    self.assertTrue(all(map(model.allows_exact_kl, 'abcd')))

  def _assert_round_trip(self, model):
    again = graph.GraphicalModel.parse(
        model.latents_text, model.inference_text, model.generative_text)
    self.assertEqual(again, model)
    self.assertEqual(hash(again), hash(model))
    self.assertEqual(str(again), str(model))
    config = model.to_config()
    self.assertEqual({type(value) for value in config.values()}, {str})
    self.assertEqual(graph.GraphicalModel.from_config(config), model)
    self.assertEqual(pickle.loads(pickle.dumps(model)), model)
    self.assertEqual(copy.deepcopy(model), model)


def _random_parents(rng, most=6):
  """Names of the latents and `{variable: parents}` of a valid q and p."""
  names = [f'z{i}' for i in range(1, 1 + rng.integers(1, most, endpoint=True))]
  sides = []
  for _ in range(2):
    order = list(rng.permutation(names))
    sides.append({
        str(v): [str(u) for u in order[:i] if rng.random() < 0.5]
                + ['y'] * int(rng.random() < 0.2)
        for i, v in enumerate(order)})
  q, p = sides
  for parents in q.values():
    if rng.random() < 0.3 or not set(parents) - {'y'}:
      parents.append('x')
  childless = set(names).difference(*p.values())
  p['x'] = [z for z in names if z in childless or rng.random() < 0.3]
  return names, q, p


def _scrambled_text(rng, parents):
  """The factors in any order, with parents in any order and any spaces."""
  space = lambda: ' ' * int(rng.integers(0, 3))
  pieces = []
  for variable in rng.permutation(list(parents)):
    names = ','.join(space() + p for p in rng.permutation(parents[variable]))
    pieces.append(space() + variable + (f'{space()}|{names}' if names else ''))
  return ';'.join(pieces)


def _random_log_table(rng, variable, parents, names):
  """log p(variable | parents) over the states of all latents, `[2 or 1, …]`."""
  shape = [2 if z == variable or z in parents else 1 for z in names]
  table = rng.uniform(0.1, 0.9, shape)
  return np.log(table / table.sum(names.index(variable), keepdims=True))


if __name__ == '__main__':
  tf.test.main()
