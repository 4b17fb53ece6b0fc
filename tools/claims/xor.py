"""The perceptron's rule goes round on XOR; a hidden layer solves it.

Papers: M. Minsky and S. Papert, "Perceptrons", 1969; D. Rumelhart, G. Hinton, R.
Williams, "Learning representations by back-propagating errors", 1986,
https://doi.org/10.1038/323533a0

Measured: the perceptron rule on XOR and, as a control, on AND, with the four points in
an order that the seed draws; then a multi-layer perceptron of eight sigmoid units,
trained on XOR by 500 steps of Adam at rate 0.05.

It holds if at every seed the rule ends on AND, comes back to earlier weights on XOR
(which proves that it goes round for ever) and the MLP makes no mistake on XOR.
"""

import keras
import numpy as np

from kcv.models.foundations.mlp import mlp
from kcv.models.foundations.perceptron import learn_from_mistakes
from kcv.tools.claims import digits_runs
from kcv.tools.claims.over_seeds import SMALL, band, of, told
from kcv.viz import style

CLAIM = "A perceptron cannot learn XOR, and one hidden layer can."
IDS = ("F01", "F02")

POINTS = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], "float32")
XOR, AND = np.array([0, 1, 1, 0]), np.array([0, 0, 0, 1])
STEPS, RATE, HIDDEN = 500, 0.05, 8
EPOCHS = 1000  # after which the rule gives up
SHOWN = 20  # epochs of the rule
GRID = np.linspace(-0.25, 1.25, 25)  # of the map of answers


def run(seed):
    """Returns mistakes of the rule, and errors, losses and answers of the MLP."""
    order = np.random.default_rng(seed).permutation(4)
    rules = {
        name: learn_from_mistakes(POINTS[order], labels[order], max_epochs=EPOCHS)
        for name, labels in (("xor", XOR), ("and", AND))
    }
    shape = {"input_shape": (1, 2, 1), "classes": 2}
    arguments = {"hidden": (HIDDEN,), "activation": "sigmoid"}
    model = digits_runs.seeded(mlp, seed, **shape, **arguments)
    model = digits_runs.compiled(model, keras.optimizers.Adam(RATE))
    images = POINTS.reshape(4, 1, 2, 1)
    losses = digits_runs.train(model, images, XOR, STEPS, batch_size=4, seed=seed)
    grid = np.stack(np.meshgrid(GRID, GRID), axis=-1).astype("float32")
    answers = model.predict_on_batch(grid.reshape(-1, 1, 2, 1))[:, 1]
    return {
        "rule_ends_on_and": float(rules["and"].converged),
        "rule_ends_on_xor": float(rules["xor"].converged),
        "rule_repeats_itself_on_xor": float(repeats(rules["xor"])),
        "mlp_mistakes": 4 * digits_runs.error(model, images, XOR),
        "mlp_loss": losses[-1],
        "mistakes_on_xor": _shown(rules["xor"]),
        "mistakes_on_and": _shown(rules["and"]),
        "mlp_losses": losses[::10],
        "mlp_answers": np.round(answers, 3).tolist(),
    }


def repeats(rule):
    """Whether the rule stopped since it was back at earlier weights."""
    return not rule.converged and len(rule.mistakes) < EPOCHS


def verdict(runs):
    """Holds if the rule ends on AND, repeats itself on XOR, and the MLP is right."""
    holds = all(
        run["rule_ends_on_and"] == 1
        and run["rule_ends_on_xor"] == 0
        and run["rule_repeats_itself_on_xor"] == 1
        and run["mlp_mistakes"] == 0
        for run in runs
    )
    rounds = sum(of(runs, "rule_repeats_itself_on_xor"))
    return holds, (
        f"On XOR the rule came back to earlier weights at {rounds:.0f} of {len(runs)} "
        f"seeds (on AND it ended at {sum(of(runs, 'rule_ends_on_and')):.0f}); the MLP "
        f"got {told(of(runs, 'mlp_mistakes'))} of the 4 points wrong, at a loss of "
        f"{told(of(runs, 'mlp_loss'), '.2g')}."
    )


def draw(runs, path):
    """Mistakes of the rule, losses of the MLP and its answers over the plane."""
    with style.looks():
        figure = style.figure(11, 3.6)
        rule, loss, plane = figure.subplots(1, 3)
        epochs = range(1, SHOWN + 1)
        for name, color in (("xor", style.VERMILION), ("and", style.BLUE)):
            curves = of(runs, f"mistakes_on_{name}")
            band(rule, epochs, curves, color, f"on {name.upper()}")
        rule.set(title="perceptron: mistakes", xlabel="epoch", ylim=(-0.1, 4.3))
        rule.set_yticks(range(5))
        rule.legend(loc="center right")
        steps = range(1, STEPS + 1, 10)
        band(loss, steps, of(runs, "mlp_losses"), style.GREEN)
        loss.axhline(np.log(2), color=style.MUTED, ls="--", lw=1)
        loss.text(STEPS, np.log(2), "a guess ", ha="right", va="bottom", fontsize=9)
        loss.set(title="MLP: loss on XOR", xlabel="step", ylim=0)
        answers = np.array(runs[0]["mlp_answers"]).reshape(len(GRID), len(GRID))
        plane.contourf(GRID, GRID, answers, np.linspace(0, 1, 11), cmap="RdBu")
        colors = [style.BLUE if label else style.VERMILION for label in XOR]
        plane.scatter(*POINTS.T, c=colors, s=90, edgecolors="white", linewidths=2)
        plane.set(title="MLP: answers", xticks=(0, 1), yticks=(0, 1), aspect="equal")
        plane.set_title("first seed", loc="right", **SMALL)
        plane.grid(visible=False)
        return style.save(figure, path)


def _shown(rule):
    """Mistakes in SHOWN epochs: those after the rule stopped are like the last one.

    On XOR that is so since an epoch gives back the weights that it began with.
    """
    return [*rule.mistakes, *[rule.mistakes[-1]] * SHOWN][:SHOWN]
