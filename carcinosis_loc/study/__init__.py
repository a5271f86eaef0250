"""Many runs from one file: a grid of options, run with resume, and the table and plot that they make."""

from carcinosis_loc.study.execution import run_study
from carcinosis_loc.study.plan import Plan, Run, read_plan
from carcinosis_loc.study.report import write_report

__all__ = ["Plan", "Run", "read_plan", "run_study", "write_report"]
