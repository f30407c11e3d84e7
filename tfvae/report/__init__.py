"""The HTML report on a trained model, and its pictures."""

from tfvae.report.data_page import write_data_page
from tfvae.report.drawing.display import Display
from tfvae.report.drawing.graph_picture import draw_graph
from tfvae.report.drawing.marginals import draw_marginals
from tfvae.report.drawing.pictures import image_grid
from tfvae.report.drawing.pictures import reconstruction_grid
from tfvae.report.drawing.pictures import save_figure
from tfvae.report.drawing.pictures import save_panels
from tfvae.report.html_report import write_report
from tfvae.report.section_page import write_page

__all__ = [
    'Display',
    'draw_graph',
    'draw_marginals',
    'image_grid',
    'reconstruction_grid',
    'save_figure',
    'save_panels',
    'write_data_page',
    'write_page',
    'write_report',
]
