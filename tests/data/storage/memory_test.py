"""Memory that arrays and tensors share, and the check that it suffices."""

import os
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests import numbered_images
from tfvae import data
from tfvae.data.storage import memory

_VALUES = np.arange(63).reshape(7, 3, 3, 1)


def _filled(dtype=np.uint8):
  array = memory.aligned_empty(_VALUES.shape, dtype)
  array[...] = _VALUES
  return array


def _is_shared(tensor, array):
  address = np.asarray(memoryview(tensor)).ctypes.data
  return address == array.ctypes.data


class SharingTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(np.uint8, np.float32)
  def test_read_only_arrays_are_shared(self, dtype):
    array = _filled(dtype)
    array.setflags(write=False)
    tensors = memory.as_tensor(array), memory.as_tensor(array[:2])
    for tensor in tensors:
      self.assertTrue(_is_shared(tensor, array))
      self.assertEqual(tensor.dtype, dtype)
    del array  # The tensors hold the memory.
    self.assertAllEqual(tensors[0], _VALUES)
    self.assertAllEqual(tensors[1], _VALUES[:2])

  def test_what_may_change_is_copied(self):
    array = _filled()
    tensor = memory.as_tensor(array)
    array[...] = 0
    self.assertAllEqual(tensor, _VALUES)

  def test_what_begins_elsewhere_is_copied(self):
    array = _filled()
    array.setflags(write=False)
    for part in (array[1:], array[::2], array.swapaxes(0, 1)):
      tensor = memory.as_tensor(part)
      self.assertFalse(_is_shared(tensor, part))
      self.assertAllEqual(tensor, part)

  def test_other_arrays(self):
    for dtype in (np.float16, '>f4', tf.bfloat16.as_numpy_dtype):
      self.assertAllEqual(memory.as_tensor(_VALUES.astype(dtype)), _VALUES)
    constant = np.frombuffer(bytes(64), np.uint8)  # Not writable.
    self.assertAllEqual(memory.as_tensor(constant), constant)

  def test_images_of_a_run_are_held_once(self):
    data_dir = self.create_tempdir().full_path
    images = data.load_images(numbered_images.prepare(data_dir), data_dir)
    for split in (images.train, images.validation, images.test):
      self.assertLessEqual(split.images.base.nbytes, split.images.nbytes + 64)
      self.assertTrue(_is_shared(memory.as_tensor(split.images), split.images))
    bits = data.fixed_binarization(images.train.images, seed=0)
    self.assertTrue(_is_shared(memory.as_tensor(bits), bits))


class CheckTest(tf.test.TestCase):

  def test_refuses_more_than_there_is(self):
    pages = {'SC_PHYS_PAGES': 3 * 2**18, 'SC_PAGE_SIZE': 4096}  # 3 GiB.
    with mock.patch.object(os, 'sysconf', pages.get):
      memory.check_memory(2 * 2**30, 'this')  # And one for the program.
      with self.assertRaisesRegex(
          ValueError, r"need 4.0 GiB .*has 3.0.*`cache='disk'`.*train\[:25%\].*"
          'Received: this'):
        memory.check_memory(4 * 2**30, 'this')

  def test_bits_need_memory_in_addition_to_the_images(self):
    images = np.zeros([10, 8, 8, 1], np.uint8)
    with mock.patch.object(data.binarization.fixed, 'check_memory') as check:
      data.fixed_binarization(images, seed=0)
    self.assertEqual(check.call_args.args[0], 2 * 640)


if __name__ == '__main__':
  tf.test.main()
