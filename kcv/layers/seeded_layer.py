"""Random numbers that go on where they were, also in a model that was saved.

Keras saves no seeds with a layer, not even those of its own Dropout.
"""

import keras
from keras import layers

FIXED = 0  # seed out of training: the same numbers whenever it runs
STATE = "seed_generator_state"


class SeededLayer(layers.Layer):
    """A layer that draws, of boxes: coordinates stay in float32.

    Args:
        seed: of the random numbers; None takes another one in each program.
    """

    def __init__(self, seed=None, **kwargs):
        kwargs["autocast"] = False  # half precision has no 2049, bfloat16 no 257
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def draw(self, shape, training):
        """Uniform numbers in 0..1: new ones while training, else always the same."""
        seed = self.seed_generator if training else FIXED
        return keras.random.uniform(shape, seed=seed)

    def save_own_variables(self, store):
        """Puts the state of the random numbers beside the weights."""
        super().save_own_variables(store)
        store[STATE] = self.seed_generator.state

    def load_own_variables(self, store):
        """Goes on with the saved random numbers."""
        self.seed_generator.state.assign(store[STATE])

    def get_config(self):  # noqa: D102
        return super().get_config() | {"seed": self.seed}
