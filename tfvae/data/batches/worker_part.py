"""The part of an epoch that one of several workers takes."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class WorkerPart:
  """Successive images of one worker, and the sizes of its batches.

  With n images, a global batch of B and w workers there are S = ceil(n / B)
  steps. Worker i takes b_i images in each of the first S - 1 steps, and r_i of
  the remaining R = n - (S - 1) B images in the last step:

    b_i = B // w + (i < B mod w),   r_i = R // w + (i < R mod w),

  so all workers take S steps, and each image is in one batch of one worker. The
  part of a worker is n_i = (S - 1) b_i + r_i successive images, so that workers
  share only the files at the ends of their parts.

  Attributes:
    start: First image of the worker, n_0 + ... + n_(i-1).
    size: Number of images, n_i.
    batch_size: Images per step, b_i.
    last: Images in the last step, r_i; 0 if fewer than w images remain.
  """

  start: int
  size: int
  batch_size: int
  last: int

  @classmethod
  def of(cls, num_images: int, batch_size: int,
         shard: tuple[int, int]) -> 'WorkerPart':
    """Returns the part of worker `shard[0]` of `shard[1]`."""
    index, count = shard
    if not 0 <= index < count or batch_size < count:
      raise ValueError(
          'A batch has at least one image of each worker, and workers count '
          f'from 0; increase `batch_size`. Received: batch_size={batch_size}, '
          f'worker {index} of {count}')
    full = -(-num_images // batch_size) - 1
    left = num_images - full * batch_size

    def share(images, i):
      return images // count + (i < images % count)

    sizes = [full * share(batch_size, i) + share(left, i)
             for i in range(index + 1)]
    return cls(sum(sizes[:-1]), sizes[-1], share(batch_size, index),
               share(left, index))
