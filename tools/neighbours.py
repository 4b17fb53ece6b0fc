"""What features are good for: nearest neighbours, drawn, and a linear probe."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kcv.tools import open_pictures
from kcv.viz.gallery import save_gallery


def queries_and_known(splits):
    """Returns the rows that ask and those that answer, int64 (n,) each.

    These are the splits "test" and "train"; where one of them is missing, all rows, and
    then `nearest` never answers with the row that asks.
    """
    queries, known = (np.flatnonzero(splits == name) for name in ("test", "train"))
    if len(queries) and len(known):
        return queries, known
    return np.arange(len(splits)), np.arange(len(splits))


def nearest(embeddings, queries, known, count):
    """Finds the rows of the largest cosine.

    Args:
        embeddings: float (n, d).
        queries: rows that ask.
        known: rows that answer.
        count: neighbours of each query.

    Returns:
        (rows, cosines): int64 and float32 (queries, count), nearest first.

    Raises:
        ValueError: if there are fewer rows to answer.
    """
    among_them = len(np.intersect1d(queries, known)) > 0
    if count > len(known) - among_them:
        raise ValueError(
            f"--neighbours={count}, but there are {len(known) - among_them} to find"
        )
    embeddings = np.asarray(embeddings, "float64")  # cosines near 1 differ in little
    search = NearestNeighbors(metric="cosine").fit(embeddings[known])
    distances, at = search.kneighbors(embeddings[queries], count + among_them)
    rows = known[at]
    # Who asks goes last and out; among equals it need not be the first.
    order = np.argsort(rows == queries[:, None], axis=1, kind="stable")[:, :count]
    rows, distances = (np.take_along_axis(x, order, 1) for x in (rows, distances))
    return rows, np.float32(1 - distances)


def accuracy_of_votes(labels, queries, rows):
    """Share of queries whose neighbours vote for its label; ties go to the nearest."""
    found = labels[rows]  # (queries, count)
    votes = (found[:, :, None] == found[:, None, :]).sum(axis=-1)
    answers = np.take_along_axis(found, votes.argmax(axis=1)[:, None], 1)[:, 0]
    return float(np.mean(answers == labels[queries]))


def majority_accuracy(labels):
    """Share of the most frequent label."""
    return float(np.bincount(labels).max() / len(labels))


def probe(embeddings, labels, queries, known):
    """Test accuracy of a logistic regression on standardised features."""
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    linear.fit(embeddings[known], labels[known])
    return float(linear.score(embeddings[queries], labels[queries]))


def draw(sources, labels, queries, rows, cosines, count, path):
    """Draws queries, each in a row with its neighbours behind it.

    Up to half of them are those with the most neighbours of another class, and come
    last; the others are spread over all.

    Args:
        sources: every `kcv.data.Source`, whose records are the rows one after another.
        labels: int (n,), -1 where unknown.
        queries: rows that asked.
        rows: their neighbours, see `nearest`.
        cosines: of the neighbours.
        count: queries to draw.
        path: where to write.

    Returns:
        The path.
    """
    wrong = (labels[rows] != labels[queries][:, None]).sum(axis=1)
    hardest = np.argsort(-wrong, kind="stable")[: count // 2]
    hardest = hardest[wrong[hardest] > 0]
    number = min(count, len(queries)) - len(hardest)
    spread = np.linspace(0, len(queries) - 1, number).astype(int)
    shown, titles, correct = [], [], []
    names = _names(sources, labels)
    for i in dict.fromkeys([*spread, *hardest]):
        query = queries[i]
        shown += [query, *rows[i]]
        titles.append(f"{names(query)}\nquery")
        titles += [
            f"{names(row)}\ncosine {c:.3f}" for row, c in zip(rows[i], cosines[i])
        ]
        known = labels[query] != open_pictures.UNLABELLED
        right = [bool(labels[row] == labels[query]) for row in rows[i]]
        correct += [None, *(right if known else [None] * len(right))]
    pictures = _pictures(sources, shown)
    return save_gallery(pictures, titles, path, correct, columns=1 + rows.shape[1])


def _names(sources, labels):
    classes = sources[0].class_names
    paths = [path for source in sources for path in open_pictures.paths_of(source)]

    def name(row):
        if labels[row] != open_pictures.UNLABELLED:
            return str(classes[labels[row]])
        return paths[row].rsplit("/", 1)[-1]

    return name


def _pictures(sources, rows):
    """Pictures by their row over all sources, each read once."""
    found, start = {}, 0
    for source in sources:
        own = sorted({row for row in rows if 0 <= row - start < source.num_examples})
        if own:
            decoded = open_pictures.some(source, [row - start for row in own])
            found |= {row: np.asarray(x["images"]) for row, x in zip(own, decoded)}
        start += source.num_examples
    return [found[row] for row in rows]
