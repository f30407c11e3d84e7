"""Builds and installs the package `tfvae`."""

import pathlib
import re

from setuptools import find_packages
from setuptools import setup

_ROOT = pathlib.Path(__file__).parent
_VERSION = re.search(
    r"^__version__ = '(.+)'$",
    (_ROOT / 'tfvae' / '__init__.py').read_text(encoding='utf-8'),
    re.MULTILINE).group(1)

# TensorBoard and tf-keras are released with TensorFlow, minor for minor.
_TENSORFLOW = '>=2.21,<2.22'

_TEST = [
    'grpcio>=1.60',
    'h5py>=3.11',  # Reads the weights in a .keras file.
    'pytest>=8',
    'pytest-xdist>=3.6',
    'selenium>=4.20',  # Opens the report, where there is a Chromium.
    'setuptools',  # Builds the wheel.
    f'tensorflow-serving-api{_TENSORFLOW}',  # For the gRPC client.
]

_DOCS = [
    'furo>=2025.7.19',
    'myst-nb>=1.3',
    'sphinx>=8.2,<10',
]

setup(
    name='tfvae',
    version=_VERSION,
    description=(
        'Turns a graphical model, written as text, into a trained, evaluated '
        'and served variational autoencoder.'),
    long_description=(_ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    # configs/ of the repository is tfvae/configs/ where it is installed.
    packages=[*find_packages(include=['tfvae', 'tfvae.*']), 'tfvae.configs'],
    package_dir={'tfvae.configs': 'configs'},
    package_data={
        'tfvae.configs': ['*.csv', '*.flags'],
        'tfvae.report': ['*.css', '*.html', '*.js'],
    },
    entry_points={'console_scripts': ['tfvae-train = tfvae.__main__:run']},
    # TensorFlow 2.21 has no wheel for 3.14; NumPy and Keras have left 3.10.
    python_requires='>=3.11,<3.14',
    install_requires=[
        'absl-py>=2.1',
        'importlib_resources>=6.4',  # TFDS imports it without declaring it.
        'keras>=3.12,<4',
        'matplotlib>=3.9',
        'numpy>=2.0,<3',
        'pandas>=2.2',
        'pillow>=11',
        'protobuf>=6.31,<8',
        'pyarrow>=17',  # Reads Parquet for pandas.
        'scikit-learn>=1.5',
        'scipy>=1.13',
        f'tensorboard{_TENSORFLOW}',  # No longer comes with TensorFlow.
        f'tensorflow{_TENSORFLOW}',
        'tensorflow-datasets>=4.9.10,<5',
        'tensorflow-probability>=0.25,<0.26',
        f'tf-keras{_TENSORFLOW}',
        'threadpoolctl>=3.5',  # Comes with scikit-learn.
    ],
    extras_require={
        # Not in `dev`: its bounds exclude versions in constraints.txt.
        'beam': ['apache-beam[tfrecord]>=2.77,<3'],
        'gpu': [f'tensorflow[and-cuda]{_TENSORFLOW}'],
        'test': _TEST,
        'docs': _DOCS,
        'dev': [*_TEST, *_DOCS, 'ruff>=0.14'],
    },
)
