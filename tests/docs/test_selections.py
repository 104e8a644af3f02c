from pathlib import Path


def test_every_selection_can_be_drawn(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "docs"))
    from selections import draw_selections

    draw_selections(tmp_path / "selections.png")
    assert (tmp_path / "selections.png").read_bytes().startswith(b"\x89PNG")
