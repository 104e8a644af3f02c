from microgesture.streams.history import best_epoch, epochs_to_do


def test_the_best_epoch_is_the_most_balanced_then_the_one_of_least_loss():
    def history(*values):
        return [{"val_balanced_accuracy": accuracy, "val_loss": loss} for accuracy, loss in values]

    assert best_epoch(history((0.5, 1.0), (0.7, 2.0), (0.7, 1.5), (0.7, 1.5), (0.6, 0.1))) == 2
    assert best_epoch(history((None, None), (None, None))) == 1
    assert best_epoch(history((0.7, 2.0), (0.8, 0.5), (0.6, 3.0)), "last") == 2


def test_epochs_go_on_after_the_last_one_and_end_in_one_line(capsys):
    def measured(accuracy):
        return {"train_loss": 1.0, "val_loss": 1.0, "val_accuracy": accuracy, "val_balanced_accuracy": accuracy}

    history, done = [measured(0.5)], []
    for epoch in epochs_to_do("joint", 3, history):
        done.append(epoch)
        history.append(measured(0.8 if epoch == 1 else 0.6))
    assert done == [1, 2]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("train joint: 2 epochs in ")
    assert line.endswith("best is 1: loss 1.00, val accuracy 80.0%")
    assert list(epochs_to_do("joint", 3, history, quiet=True)) == []
    assert capsys.readouterr().err == ""
