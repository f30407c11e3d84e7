"""Modes of the program."""

from tfvae.training import train

# Function that each --mode runs, with a `Config` and a workdir; it returns the
# metrics.
MODES = {
    'train': train.train_and_evaluate,
    'evaluate': train.evaluate_run,
    'report': train.report_run,
    'export': train.export_run,
}

MODE_HELP = (
    'train, then evaluate, report and export; or only evaluate, report or '
    'export the finished run in `workdir`, whose flags are then the defaults')
WORKDIR_HELP = (
    'directory of the results; the same command again resumes the run there')
