"""Figures: pandas tables, openpyxl workbooks, charts; none of them knows a person."""
