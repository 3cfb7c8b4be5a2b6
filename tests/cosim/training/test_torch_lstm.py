"""A PyTorch LSTM on a chip: the evaluator's scores on the same chip, and gradients that go straight through."""

import numpy as np
import pytest

from cosim import Arrays, Hardware, evaluate
from cosim.chip import PwmInputs
from cosim.tasks import SequenceSet
from netlists.technology import load_profile

torch = pytest.importorskip("torch")

X = np.random.default_rng(1).normal(0, 1, (6, 5, 3))
CHIPS = {
    "thresholds and pulses": Hardware(bits=4, threshold_noise=1.0, pwm=PwmInputs(5)),
    "arrays": Hardware(bits=4, arrays=Arrays(load_profile("taox-100-400"), max_rows=6), state_unit="table"),
    "float": Hardware(),
}


def made(hardware, **kwargs):
    from cosim.training.torch_lstm import HardwareLSTM

    torch.manual_seed(1)
    return HardwareLSTM(3, 4, batch_first=True, hardware=hardware, chip=2, seed=7, **kwargs)


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("shape", [{}, {"num_layers": 2, "bidirectional": True}, {"proj_size": 2}], ids=str)
def test_scores_are_the_evaluators_on_the_same_chip(name, shape):
    rnn = made(CHIPS[name], **shape).double()
    fc = torch.nn.Linear((shape.get("proj_size") or 4) * (1 + shape.get("bidirectional", False)), 2).double()
    with torch.no_grad():
        scores = fc(rnn(torch.tensor(X))[0][:, -1]).numpy()
    data = SequenceSet(X, np.full(6, 5), np.zeros(6, int))
    found = evaluate(rnn.to_network(fc), data, CHIPS[name], [2], 7, dtype=np.float64)
    np.testing.assert_allclose(scores, found.scores[0], atol=1e-12)
    if name != "float":
        other = evaluate(rnn.to_network(fc), data, CHIPS[name], [3], 7, dtype=np.float64)
        assert np.abs(scores - other.scores[0]).max() > 1e-6


def test_without_hardware_it_is_pytorchs_lstm_with_its_gradients():
    rnn = made(Hardware(), num_layers=2, bidirectional=True).double()
    plain = torch.nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True).double()
    plain.load_state_dict(rnn.state_dict())
    results = []
    for module in (rnn, plain):
        x = torch.tensor(X, requires_grad=True)
        out, (h, c) = module(x)
        (out.square().sum() + h.sum() + c.sum()).backward()
        results.append([out, h, c, x.grad, *(p.grad for p in module.parameters())])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-10)


def test_gradients_of_a_chip_reach_all_weights_and_fresh_chips_follow_each_other():
    rnn = made(CHIPS["arrays"], fresh=True)
    a, b = (rnn(torch.tensor(X).float())[0] for _ in range(2))
    assert rnn.chip == 4
    assert not torch.equal(a, b)
    a.sum().backward()
    assert all(p.grad.abs().max() > 0 for p in rnn.parameters())
    rnn.eval()
    assert torch.equal(rnn(torch.tensor(X).float())[0], rnn(torch.tensor(X).float())[0])
