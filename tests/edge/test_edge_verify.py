import numpy as np
import pytest
import tiny_tasks
import tiny_tflite

import kcv.edge
from kcv.edge import verify

RNG = np.random.default_rng(0)


def pixels():
    return RNG.integers(0, 256, (8, 8, 3)).astype("uint8")


def reference(image):
    """NumPy's embedding of an image of 8 x 8."""
    kernel, _ = tiny_tflite.weights(tiny_tasks.SHAPE, 6, seed=1)
    vector = ((image - 127.5) / 127.5).reshape(-1) @ kernel.astype("float64")
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize(("io_dtype", "error"), [("float32", 1e-5), ("uint8", 0.03)])
def test_similarity_is_the_cosine_of_the_embeddings(tmp_path, io_dtype, error):
    verifier = kcv.edge.load(tiny_tasks.verifier(tmp_path / "x.tflite", io_dtype))
    assert isinstance(verifier, verify.Verifier)
    first, second = pixels(), pixels()
    embedding = verifier.embed(first)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(embedding, reference(first), atol=error)
    found = verifier.same(first, second)
    expected = reference(first) @ reference(second)
    assert found.similarity == pytest.approx(expected, abs=2 * error)
    assert found.threshold == 0.4
    assert found.same == (found.similarity >= 0.4)
    assert verifier.same(first, first).similarity == pytest.approx(1, abs=1e-6)


def test_threshold_and_kept_embeddings(tmp_path):
    verifier = kcv.edge.load(tiny_tasks.verifier(tmp_path / "x.tflite"))
    first, second = pixels(), pixels()
    similarity = verifier.same(first, second).similarity
    assert verifier.same(first, second, similarity - 0.01).same is True
    assert verifier.same(first, second, similarity + 0.01).same is False
    kept = verifier.embed(first)
    assert verifier.same(kept, second).similarity == pytest.approx(similarity)
    both = verifier.embeddings(np.stack([first, second]))
    assert both[0] @ both[1] == pytest.approx(similarity, abs=1e-6)


def test_refuses_what_is_no_threshold_or_embedding(tmp_path):
    verifier = kcv.edge.load(tiny_tasks.verifier(tmp_path / "x.tflite"))
    for wrong in (1.5, "0.5", float("nan")):
        with pytest.raises(
            kcv.edge.EdgeError, match=r"threshold must be within -1\.\."
        ):
            verifier.same(pixels(), pixels(), wrong)
    for wrong in (np.zeros(5), np.full(6, np.nan)):
        with pytest.raises(
            kcv.edge.EdgeError, match="an embedding is 6 finite numbers"
        ):
            verifier.same(wrong, pixels())


@pytest.mark.parametrize("decoding", [{}, None, {"threshold": "0.5"}, {"threshold": 2}])
def test_a_file_without_a_threshold(tmp_path, decoding):
    path = tiny_tasks.verifier(tmp_path / "x.tflite", decoding=decoding)
    with pytest.raises(kcv.edge.EdgeError, match="no usable 'decoding.threshold'"):
        kcv.edge.load(path)
