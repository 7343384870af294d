"""The former names of three charts, until no notebook uses them."""

from microx_utils.plots.results import draw_differences, draw_second_choice_matrix, draw_second_choice_panels
from microx_utils.plots.results import draw_intervals as draw_model_scores

__all__ = ["draw_differences", "draw_model_scores", "draw_second_choice_matrix", "draw_second_choice_panels"]
