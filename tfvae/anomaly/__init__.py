"""Anomaly detection with a false-alarm rate that holds."""

from tfvae.anomaly.calibrate import calibrate
from tfvae.anomaly.combination import COMBINATIONS
from tfvae.anomaly.conformal import conformal_p_values
from tfvae.anomaly.conformal import false_discovery_rate
from tfvae.anomaly.conformal import FalseAlarms
from tfvae.anomaly.conformal import required_rows
from tfvae.anomaly.detector import Detection
from tfvae.anomaly.detector import Detector
from tfvae.anomaly.detector_file import Calibration
from tfvae.anomaly.detector_file import read_calibration
from tfvae.anomaly.drift import drift
from tfvae.anomaly.drift import Reference
from tfvae.anomaly.mean_discrepancy import kernel_two_sample_test
from tfvae.anomaly.mean_discrepancy import KernelTest
from tfvae.anomaly.scores import Score
from tfvae.anomaly.scores import SCORES
from tfvae.anomaly.sections import detection_section
from tfvae.anomaly.sections import drift_section
from tfvae.anomaly.summary import summarize
from tfvae.registry import public_names

__all__ = public_names(globals())
