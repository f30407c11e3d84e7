"""The scripts of docs/cluster, run with stand-ins for the cluster's tools."""

import importlib
import json
import os
import pathlib
import re
import subprocess
import textwrap

from absl import flags
from absl.testing import parameterized
import tensorflow as tf

from tfvae.training import config_from_flags
from tfvae.training import define_flags

_CLUSTER = pathlib.Path(__file__).parents[1] / 'docs' / 'cluster'

_TOOLS = {
    'tfvae-train': 'printf "%s\\0" "$TF_CONFIG" "$@" >> started; exit $CODE',
    'scontrol': 'case $1 in show) echo n1; echo n2;; *) echo $* > told;; esac',
    # A step of two tasks that ends when the job is sent a signal.
    'srun': 'shift; for SLURM_PROCID in 0 1; do export SLURM_PROCID; "$@"; '
            'status=$?; done; if [ $CODE = 75 ]; then kill -TERM $PPID; '
            'until [ -e sent ]; do sleep 0.01; done; fi; exit $status',
    'scancel': 'echo $* > sent',
}


class ClusterTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.directory = pathlib.Path(self.create_tempdir().full_path)
    for name, text in _TOOLS.items():
      path = self.directory / name
      path.write_text(f'#!/bin/bash\n{text}\n')
      path.chmod(0o755)

  def _run(self, script, code=0, **environment):
    path = f'{self.directory}{os.pathsep}{os.environ["PATH"]}'
    return subprocess.run(
        ['bash', '-c', script], cwd=self.directory, check=False, timeout=60,
        env={'PATH': path, 'CODE': str(code), **environment}).returncode

  def _file(self, name):
    path = self.directory / name
    return path.read_text() if path.exists() else ''

  def _check_started(self, addresses, indices):
    """Checks the cluster and the flags that the program received."""
    parts = self._file('started').split('\0')
    configs = [json.loads(part) for part in parts if part.startswith('{')]
    self.assertEqual(configs, [
        {'cluster': {'worker': addresses},
         'task': {'type': 'worker', 'index': index}} for index in indices])
    arguments = [part for part in parts if part.startswith('--')]
    flag_values = flags.FlagValues()
    define_flags(flag_values)
    flag_values(['tfvae-train', *(
        argument for argument in arguments if 'flagfile' not in argument)])
    self.assertEqual(config_from_flags(flag_values).training.strategy,
                     'multi_worker')

  @parameterized.parameters(0, 1)
  def test_pods_know_their_index(self, index):
    text = (_CLUSTER / 'kubernetes.yaml').read_text()
    script = textwrap.dedent(
        re.search(r'^ +- \|\n(.*?)^ +resources:', text, re.M | re.S)[1])
    page = (_CLUSTER.parent / 'scaling.md').read_text()
    self.assertIn(f'```sh\n{script}```', page)
    self.assertEqual(
        self._run(script, code=75, JOB_COMPLETION_INDEX=str(index)), 75)
    self._check_started(['tfvae-0.tfvae:2222', 'tfvae-1.tfvae:2222'], [index])

  def test_manifest_is_yaml(self):
    try:
      yaml = importlib.import_module('yaml')
    except ImportError:
      self.skipTest('PyYAML is not installed.')
    service, job = yaml.safe_load_all(
        (_CLUSTER / 'kubernetes.yaml').read_text())
    self.assertEqual((service['kind'], job['kind']), ('Service', 'Job'))
    pod = job['spec']['template']['spec']
    self.assertEqual(pod['subdomain'], service['metadata']['name'])
    self.assertEqual(service['spec']['selector'],
                     {'job-name': job['metadata']['name']})
    self.assertEqual(pod['restartPolicy'], 'Never')  # The policy needs it.

  @parameterized.parameters(
      (0, '0', False), (1, '0', False), (75, '0', True), (137, '0', True),
      (75, '20', False))
  def test_slurm_requeues_unfinished_runs(self, code, restarts, is_requeued):
    status = self._run(
        (_CLUSTER / 'slurm.sh').read_text(), code, SLURM_JOB_ID='12345',
        SLURM_JOB_NODELIST='n[1-2]', SLURM_RESTART_COUNT=restarts)
    self.assertEqual(status, code)
    self._check_started(['n1:22345', 'n2:22345'], [0, 1])
    self.assertEqual(self._file('told'),
                     'requeue 12345\n' if is_requeued else '')
    self.assertEqual(self._file('sent'),
                     '--signal=TERM 12345\n' if code == 75 else '')


if __name__ == '__main__':
  tf.test.main()
