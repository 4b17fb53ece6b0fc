import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcv.train.schedules import SCHEDULES, make_schedule


def test_cosine_by_hand():
    """Half of the peak half way, and cos(pi / 3) = 1/2 gives three quarters at 1/3."""
    schedule = make_schedule("cosine", 0.2, epochs=12)
    assert schedule(0, []) == 0.2
    assert math.isclose(schedule(4, []), 0.15)
    assert math.isclose(schedule(6, []), 0.1)
    assert schedule(12, []) == 0.0


def test_warm_up_climbs_linearly_then_the_cosine_starts():
    schedule = make_schedule("cosine", 0.2, epochs=12, warmup_epochs=2)
    assert [schedule(epoch, []) for epoch in (0, 1, 2)] == [0.0, 0.1, 0.2]
    assert math.isclose(schedule(7, []), 0.1)


def test_step_divides_by_ten_at_each_milestone():
    schedule = make_schedule("step", 1.0, epochs=8, milestones=(0.5, 0.75))
    rates = [schedule(epoch, []) for epoch in (0, 3.9, 4, 5.9, 6, 7.9)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_plateau_divides_by_ten_up_to_three_times():
    schedule = make_schedule("plateau", 1.0, epochs=99, patience=2)
    losses = [3, 2, 2.5, 2.1, 1, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5]
    rates = [
        schedule(n, [{"validation_loss": loss} for loss in losses[:n]])
        for n in range(len(losses) + 1)
    ]
    expected = [1] * 4 + [0.1] * 3 + [0.01] * 2 + [0.001] * 5
    assert rates == pytest.approx(expected)


@given(st.sampled_from(SCHEDULES), st.floats(0, 20))
def test_never_above_the_peak_nor_negative(name, epoch):
    schedule = make_schedule(name, 0.3, epochs=20, warmup_epochs=3)
    rate = schedule(epoch, [{"validation_loss": 1.0}] * int(epoch))
    assert 0 <= rate <= 0.3


def test_other_factors():
    """A fifth at each milestone; 0.94 every two epochs."""
    step = make_schedule("step", 0.1, 200, milestones=(0.3, 0.6, 0.8), decay=0.2)
    rates = [step(epoch, []) for epoch in (59, 60, 120, 160)]
    assert rates == pytest.approx([0.1, 0.02, 0.004, 0.0008])
    slow = make_schedule("exponential", 0.045, 100, decay=0.94, decay_epochs=2)
    rates = [slow(epoch, []) for epoch in (0, 1.9, 2, 5)]
    assert rates == pytest.approx([0.045, 0.045, 0.045 * 0.94, 0.045 * 0.94**2])


def test_errors():
    with pytest.raises(ValueError, match="cannot fall by 1.5 every 1.0 epochs"):
        make_schedule("step", 0.1, 10, decay=1.5)
    with pytest.raises(ValueError, match="no schedule 'linear'; known: constant"):
        make_schedule("linear", 0.1, 10)
    with pytest.raises(ValueError, match="warm-up of 10 epochs does not fit into 10"):
        make_schedule("cosine", 0.1, 10, warmup_epochs=10)
