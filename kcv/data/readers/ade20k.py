"""ADE20K: the 150 classes of SceneParse150, and the codes of the full set's PNGs.

Zhou, Zhao, Puig, Fidler, Barriuso, Torralba, Scene parsing through ADE20K dataset,
2017. http://sceneparsing.csail.mit.edu, https://groups.csail.mit.edu/vision/datasets/ADE20K
"""

import pathlib

import numpy as np

from kcv.data.readers import pictures, semantic_png

CLASSES = tuple(  # objectInfo150.txt, the first name of each row
    """wall,building,sky,floor,tree,ceiling,road,bed,windowpane,grass,cabinet,sidewalk,
    person,earth,door,table,mountain,plant,curtain,chair,car,water,painting,sofa,shelf,
    house,sea,mirror,rug,field,armchair,seat,fence,desk,rock,wardrobe,lamp,bathtub,
    railing,cushion,base,box,column,signboard,chest of drawers,counter,sand,sink,
    skyscraper,fireplace,refrigerator,grandstand,path,stairs,runway,case,pool table,
    pillow,screen door,stairway,river,bridge,bookcase,blind,coffee table,toilet,flower,
    book,hill,bench,countertop,stove,palm,kitchen island,computer,swivel chair,boat,bar,
    arcade machine,hovel,bus,towel,light,truck,tower,chandelier,awning,streetlight,
    booth,television receiver,airplane,dirt track,apparel,pole,land,bannister,escalator,
    ottoman,bottle,buffet,poster,stage,van,ship,fountain,conveyer belt,canopy,washer,
    plaything,swimming pool,stool,barrel,basket,waterfall,tent,bag,minibike,cradle,oven,
    ball,food,step,tank,trade name,microwave,pot,animal,bicycle,lake,dishwasher,screen,
    blanket,sculpture,hood,sconce,vase,traffic light,tray,ashcan,fan,pier,crt screen,
    plate,monitor,bulletin board,shower,radiator,glass,clock,flag""".replace(
        "\n    ", ""
    ).split(",")
)
_SPLITS = {"train": "training", "validation": "validation"}


def open_split(path, split, *, max_bad_share=0.01):
    """Opens one split of SceneParse150, ADEChallengeData2016.

    Number 0 of the PNGs, other objects, becomes 255; number n becomes class n - 1.

    Args:
        path: Folder with images/training, annotations/training and so on.
        split: "train" or "validation"; the truth of the test was never given out.
        max_bad_share: Largest share of malformed records that is skipped.

    Returns:
        `Records`.

    Raises:
        FileNotFoundError: There is no such layout.
        ValueError: Unknown split, or too many malformed records.
    """
    if split not in _SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(_SPLITS)}")
    root = pathlib.Path(path)
    images = root / "images" / _SPLITS[split]
    if not images.is_dir():
        raise FileNotFoundError(f"no {images}: path is ADEChallengeData2016, unpacked")
    annotations = root / "annotations" / _SPLITS[split]
    pairs = [
        (file, annotations / f"{file.stem}.png")
        for file in semantic_png.list_pictures(images)
    ]
    table = np.arange(-1, len(CLASSES))
    table[0] = semantic_png.IGNORE
    return semantic_png.open_pairs(images, pairs, table, CLASSES, max_bad_share)


def read_full(path):
    """Reads a NAME_seg.png of the full set, whose colours are codes.

    Class numbers are red // 10 * 256 + green, from 1 (0 is not labelled) into the list
    of objects in index_ade20k; each blue is one instance. There are over 3000 classes
    and no list without a pickle or .mat of the user's, so this gives numbers only.

    Args:
        path: The file.

    Returns:
        classes, int32 (h, w); instances, int32 (h, w), from 1, 0 where there is none.

    Raises:
        BadRecord: Missing or damaged file.
    """
    red, green, blue = np.moveaxis(pictures.read_colours(path).astype(np.int32), -1, 0)
    classes = red // 10 * 256 + green
    # Numbered in the order of the blues, as by the set's own loader; 0 stays 0 also in
    # a picture that is labelled everywhere.
    values = np.unique(np.append(blue, 0))
    return classes, np.searchsorted(values, blue).astype(np.int32)
