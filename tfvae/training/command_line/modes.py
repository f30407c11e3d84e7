"""Modes of the program."""

from tfvae.training import train
from tfvae.training.results.data_page import write_data_page
from tfvae.training.results.detection import calibrate_run
from tfvae.training.results.detection import detect_run
from tfvae.training.results.monitoring import monitor_run
from tfvae.training.results.predictions import encode_run
from tfvae.training.results.predictions import score_run
from tfvae.training.workdir.schema_file import write_schema

# Modes that need no finished run, and of these the one that takes the flags of
# a run in the workdir as defaults.
FIRST_MODES = ('train', 'schema', 'data')
DATA_MODE = 'data'

# Modes that use the model of a run or of an export.
MODEL_MODES = ('encode', 'score', 'detect', 'monitor')

# Function that each --mode runs, with a `Config` and a workdir; it returns the
# metrics.
MODES = {
    'train': train.train_and_evaluate,
    'evaluate': train.evaluate_run,
    'report': train.report_run,
    'export': train.export_run,
    'sample': train.sample_run,
    'encode': encode_run,
    'score': score_run,
    'calibrate': calibrate_run,
    'detect': detect_run,
    'monitor': monitor_run,
    'impute': train.impute_run,
    'schema': write_schema,
    DATA_MODE: write_data_page,
}

MODE_HELP = (
    'train, then evaluate, report and export; or only evaluate, report or '
    'export the finished run in `workdir`, or write samples of its model, or '
    'fill the missing values of `input`, or write the latents (encode) or the '
    'ELBO (score) of each example of `input`; or calibrate a detector of '
    'anomalies, detect those of `input`, or monitor its drift, with the flags '
    'of the run as defaults; or write the schema of a table to '
    '`workdir`, to be edited and given as `schema`; or show the data: counts, '
    'ranges, classes and repeated examples, in `workdir`/data.html')
MODEL_HELP = (
    'run or exported version whose model `mode=encode`, `mode=score`, '
    '`mode=detect` and `mode=monitor` use, '
    'such as runs/mnist or runs/mnist/export/1; by default `workdir`')
WORKDIR_HELP = (
    'directory of the results; the same command again resumes the run there')
