"""Colours of the plots: those of Okabe and Ito, which colour-blind readers tell apart."""

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
