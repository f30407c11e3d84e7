"""Command line: flags of the settings, flagfiles and the help."""

from tfvae.training.command_line.flags import config_from_flags
from tfvae.training.command_line.flags import define_flags
from tfvae.training.command_line.help import help_text
from tfvae.training.command_line.help import program_name
from tfvae.training.command_line.modes import MODES
from tfvae.training.command_line.parsing import parse_flags

__all__ = [
    'MODES',
    'config_from_flags',
    'define_flags',
    'help_text',
    'parse_flags',
    'program_name',
]
