import pandas as pd

from microgesture.storage.csv_files import without_formulas


def test_no_cell_begins_a_formula_and_no_other_cell_changes():
    table = pd.DataFrame({"a": ["=1+1", "+a", "-b", "@c", "d=e", None, ""], "b": [-1.5] * 7})
    shown = without_formulas(table)
    assert shown.a.tolist()[:5] == ["'=1+1", "'+a", "'-b", "'@c", "d=e"]
    assert shown.a[5:].equals(table.a[5:])
    assert shown.b.equals(table.b)
