"""Rows of the classifiers, in the order of their papers' lines of work."""

from functools import partial

from kcv.zoo.entry import Entry, builder

_LENET_1989 = "Y. LeCun et al. 1989, https://doi.org/10.1162/neco.1989.1.4.541"
_LENET5 = "Y. LeCun et al. 1998, https://doi.org/10.1109/5.726791"
_ALEXNET = "A. Krizhevsky et al. 2012, https://doi.org/10.1145/3065386"
_ONE_TOWER = "A. Krizhevsky 2014, https://arxiv.org/abs/1404.5997"
_ZFNET = "M. Zeiler and R. Fergus 2013, https://arxiv.org/abs/1311.2901"
_VGG = "K. Simonyan and A. Zisserman 2014, https://arxiv.org/abs/1409.1556"
_GOOGLENET = "C. Szegedy et al. 2014, https://arxiv.org/abs/1409.4842"
_INCEPTION_V2 = "S. Ioffe and C. Szegedy 2015, https://arxiv.org/abs/1502.03167"
_INCEPTION_V3 = "C. Szegedy et al. 2015, https://arxiv.org/abs/1512.00567"
_INCEPTION_V4 = "C. Szegedy et al. 2016, https://arxiv.org/abs/1602.07261"
_XCEPTION = "F. Chollet 2016, https://arxiv.org/abs/1610.02357"
_RESNET = "K. He et al. 2015, https://arxiv.org/abs/1512.03385"
_PREACT = "K. He et al. 2016, https://arxiv.org/abs/1603.05027"
_WIDE = "S. Zagoruyko and N. Komodakis 2016, https://arxiv.org/abs/1605.07146"
_RESNEXT = "S. Xie et al. 2016, https://arxiv.org/abs/1611.05431"
_DENSENET = "G. Huang et al. 2016, https://arxiv.org/abs/1608.06993"
_CIFAR = (
    "Keras example cifar10_cnn 2015, https://github.com/keras-team/keras/tree/2.3.1"
)
_DEIT = "H. Touvron et al. 2020, https://arxiv.org/abs/2012.12877"
_VIT = "A. Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929"
_YOLO9000 = "J. Redmon, A. Farhadi 2017, https://arxiv.org/abs/1612.08242"
_OVERFEAT = "P. Sermanet et al. 2013, https://arxiv.org/abs/1312.6229"
_ARCFACE = "J. Deng et al. 2018, https://arxiv.org/abs/1801.07698"
_P4 = "T. Cohen and M. Welling 2016, https://arxiv.org/abs/1602.07576"

_TASK = "classification"
_from = partial(builder, "classification")

# fmt: off
ROWS = {
    "lenet_1989": Entry(
        _from("lenet", "lenet_1989"), ("C01",), _TASK, _LENET_1989, (16, 16, 1), 8_824,
        63_660, recipe="lenet_1989_digits"),
    "lenet5": Entry(
        _from("lenet", "lenet5"), ("C01",), _TASK, _LENET5, (28, 28, 1), 61_706,
        416_520, pixel_range=(-0.1, 1.175), recipe="lenet5_digits"),
    "lenet5_1998": Entry(
        _from("lenet", "lenet5_1998"), ("C01",), _TASK, _LENET5, (28, 28, 1), 60_850,
        328_096, pixel_range=(-0.1, 1.175), recipe="lenet5_1998_digits"),
    "alexnet": Entry(
        _from("alexnet", "alexnet"), ("C02",), _TASK, _ALEXNET, (227, 227, 3),
        60_965_224, 724_406_816),
    "alexnet_025": Entry(
        _from("alexnet", "alexnet", alpha=0.25), ("C02",), _TASK, _ALEXNET,
        (227, 227, 3), 4_587_592, 65_808_776, recipe="alexnet_025_digits"),
    "alexnet_one_tower": Entry(
        _from("alexnet", "alexnet_one_tower"), ("C02",), _TASK, _ONE_TOWER,
        (224, 224, 3), 61_100_840, 714_188_480),
    "alexnet_one_tower_025": Entry(
        _from("alexnet", "alexnet_one_tower", alpha=0.25), ("C02",), _TASK, _ONE_TOWER,
        (224, 224, 3), 4_593_848, 58_581_680, recipe="alexnet_one_tower_025_digits"),
    "zfnet": Entry(
        _from("zfnet", "zfnet"), ("C03",), _TASK, _ZFNET, (224, 224, 3), 62_357_608,
        1_168_032_896),
    "zfnet_025": Entry(
        _from("zfnet", "zfnet", alpha=0.25), ("C03",), _TASK, _ZFNET, (224, 224, 3),
        4_670_728, 105_786_656, recipe="zfnet_025_digits"),
    "zfnet_b": Entry(
        _from("zfnet", "zfnet_b"), ("C03",), _TASK, _ZFNET, (224, 224, 3), 107_627_624,
        2_476_704_896),
    "vgg11": Entry(
        _from("vgg", "vgg11"), ("C04",), _TASK, _VGG, (224, 224, 3), 132_863_336,
        7_609_090_048),
    "vgg13": Entry(
        _from("vgg", "vgg13"), ("C04",), _TASK, _VGG, (224, 224, 3), 133_047_848,
        11_308_466_176),
    "vgg16": Entry(
        _from("vgg", "vgg16"), ("C04",), _TASK, _VGG, (224, 224, 3), 138_357_544,
        15_470_264_320),
    "vgg19": Entry(
        _from("vgg", "vgg19"), ("C04",), _TASK, _VGG, (224, 224, 3), 143_667_240,
        19_632_062_464),
    "vgg11_bn": Entry(
        _from("vgg", "vgg11_bn"), ("C04",), _TASK, _VGG, (224, 224, 3), 132_874_344,
        7_609_090_048),
    "vgg13_bn": Entry(
        _from("vgg", "vgg13_bn"), ("C04",), _TASK, _VGG, (224, 224, 3), 133_059_624,
        11_308_466_176),
    "vgg16_bn": Entry(
        _from("vgg", "vgg16_bn"), ("C04",), _TASK, _VGG, (224, 224, 3), 138_374_440,
        15_470_264_320),
    "vgg19_bn": Entry(
        _from("vgg", "vgg19_bn"), ("C04",), _TASK, _VGG, (224, 224, 3), 143_689_256,
        19_632_062_464),
    "vgg11_025": Entry(
        _from("vgg", "vgg11", alpha=0.25), ("C04",), _TASK, _VGG, (224, 224, 3),
        9_075_272, 492_593_152, recipe="vgg11_025_digits"),
    "vgg16_bn_025": Entry(
        _from("vgg", "vgg16_bn", alpha=0.25), ("C04",), _TASK, _VGG, (224, 224, 3),
        9_423_160, 983_916_544, recipe="vgg16_bn_025_digits"),
    "googlenet": Entry(
        _from("googlenet", "googlenet"), ("C05",), _TASK, _GOOGLENET, (224, 224, 3),
        6_998_552, 1_582_671_872, recipe="googlenet_digits"),
    "inception_v2": Entry(
        _from("inception_v2", "inception_v2"), ("C06",), _TASK, _INCEPTION_V2,
        (224, 224, 3), 11_298_560, 1_948_605_440),
    "inception_v2_025": Entry(
        _from("inception_v2", "inception_v2", alpha=0.25), ("C06",), _TASK,
        _INCEPTION_V2, (224, 224, 3), 908_928, 140_124_736,
        recipe="inception_v2_025_digits"),
    "inception_v3": Entry(
        _from("inception_v3", "inception_v3"), ("C06",), _TASK, _INCEPTION_V3,
        (299, 299, 3), 23_851_784, 5_713_216_096),
    "inception_v3_025": Entry(
        _from("inception_v3", "inception_v3", alpha=0.25), ("C06",), _TASK,
        _INCEPTION_V3, (299, 299, 3), 1_895_156, 435_965_104,
        recipe="inception_v3_025_digits"),
    "inception_resnet_v2": Entry(
        _from("inception_resnet_v2", "inception_resnet_v2"), ("C07",), _TASK,
        _INCEPTION_V4, (299, 299, 3), 55_873_736, 13_155_794_016),
    "inception_resnet_v2_025": Entry(
        _from("inception_resnet_v2", "inception_resnet_v2", alpha=0.25), ("C07",),
        _TASK, _INCEPTION_V4, (299, 299, 3), 3_882_284, 980_410_224,
        recipe="inception_resnet_v2_025_digits"),
    "xception": Entry(
        _from("xception", "xception"), ("C08",), _TASK, _XCEPTION, (299, 299, 3),
        22_910_480, 8_357_403_496),
    "xception_025": Entry(
        _from("xception", "xception", alpha=0.25), ("C08",), _TASK, _XCEPTION,
        (299, 299, 3), 1_876_346, 551_103_970, recipe="xception_025_digits"),
    "resnet18": Entry(
        _from("resnet", "resnet18"), ("C09",), _TASK, _RESNET, (224, 224, 3),
        11_699_112, 1_814_073_344, recipe="resnet18_digits"),
    "resnet34": Entry(
        _from("resnet", "resnet34"), ("C09",), _TASK, _RESNET, (224, 224, 3),
        21_814_696, 3_663_761_408),
    "resnet50": Entry(
        _from("resnet", "resnet50"), ("C09",), _TASK, _RESNET, (224, 224, 3),
        25_636_712, 3_857_973_248),
    "resnet101": Entry(
        _from("resnet", "resnet101"), ("C09",), _TASK, _RESNET, (224, 224, 3),
        44_707_176, 7_570_194_432),
    "resnet152": Entry(
        _from("resnet", "resnet152"), ("C09",), _TASK, _RESNET, (224, 224, 3),
        60_419_944, 11_282_415_616),
    "cifar_resnet20": Entry(
        _from("cifar_resnet", "cifar_resnet20"), ("C09",), _TASK, _RESNET, (32, 32, 3),
        271_098, 40_551_040, recipe="cifar_resnet20_digits"),
    "cifar_resnet56": Entry(
        _from("cifar_resnet", "cifar_resnet56"), ("C09",), _TASK, _RESNET, (32, 32, 3),
        857_082, 125_485_696),
    "cifar_resnet110": Entry(
        _from("cifar_resnet", "cifar_resnet110"), ("C09",), _TASK, _RESNET, (32, 32, 3),
        1_736_058, 252_887_680),
    "cifar_plain20": Entry(
        _from("cifar_resnet", "cifar_plain20"), ("C09",), _TASK, _RESNET, (32, 32, 3),
        271_098, 40_551_040, recipe="cifar_plain20_digits"),
    "cifar_plain56": Entry(
        _from("cifar_resnet", "cifar_plain56"), ("C09",), _TASK, _RESNET, (32, 32, 3),
        857_082, 125_485_696),
    "preact_resnet20": Entry(
        _from("preact_resnet", "preact_resnet20"), ("C10",), _TASK, _PREACT,
        (32, 32, 3), 273_658, 40_813_184, recipe="preact_resnet20_digits"),
    "preact_resnet110": Entry(
        _from("preact_resnet", "preact_resnet110"), ("C10",), _TASK, _PREACT,
        (32, 32, 3), 1_738_618, 253_149_824),
    "preact_resnet164": Entry(
        _from("preact_resnet", "preact_resnet164"), ("C10",), _TASK, _PREACT,
        (32, 32, 3), 1_727_482, 244_500_992),
    "preact_resnet50": Entry(
        _from("preact_resnet", "preact_resnet50"), ("C10",), _TASK, _PREACT,
        (224, 224, 3), 25_613_800, 3_482_255_360),
    "preact_resnet101": Entry(
        _from("preact_resnet", "preact_resnet101"), ("C10",), _TASK, _PREACT,
        (224, 224, 3), 44_675_560, 7_194_476_544),
    "preact_resnet152": Entry(
        _from("preact_resnet", "preact_resnet152"), ("C10",), _TASK, _PREACT,
        (224, 224, 3), 60_380_648, 10_906_697_728),
    "preact_resnet200": Entry(
        _from("preact_resnet", "preact_resnet200"), ("C10",), _TASK, _PREACT,
        (224, 224, 3), 64_894_440, 14_400_552_960),
    "wide_resnet16_4": Entry(
        _from("wide_resnet", "wide_resnet16_4"), ("C11",), _TASK, _WIDE, (32, 32, 3),
        2_752_506, 392_612_352, recipe="wide_resnet16_4_digits"),
    "wide_resnet28_10": Entry(
        _from("wide_resnet", "wide_resnet28_10"), ("C11",), _TASK, _WIDE, (32, 32, 3),
        36_497_146, 5_243_328_768),
    "wide_resnet50_2": Entry(
        _from("wide_resnet", "wide_resnet50_2"), ("C11",), _TASK, _WIDE, (224, 224, 3),
        68_951_464, 11_398_021_120),
    "wide_resnet101_2": Entry(
        _from("wide_resnet", "wide_resnet101_2"), ("C11",), _TASK, _WIDE, (224, 224, 3),
        127_024_552, 22_753_050_624),
    "resnext50_32x4d": Entry(
        _from("resnext", "resnext50"), ("C12",), _TASK, _RESNEXT, (224, 224, 3),
        25_097_128, 4_230_479_872),
    "resnext50_8x4d": Entry(
        _from("resnext", "resnext50", cardinality=8), ("C12",), _TASK, _RESNEXT,
        (224, 224, 3), 9_951_784, 1_417_412_608, recipe="resnext50_8x4d_digits"),
    "resnext101_32x4d": Entry(
        _from("resnext", "resnext101"), ("C12",), _TASK, _RESNEXT, (224, 224, 3),
        44_315_560, 7_969_996_800),
    "resnext101_32x8d": Entry(
        _from("resnext", "resnext101", width=8), ("C12",), _TASK, _RESNEXT,
        (224, 224, 3), 88_994_216, 16_414_015_488),
    "resnext101_64x4d": Entry(
        _from("resnext", "resnext101", cardinality=64), ("C12",), _TASK, _RESNEXT,
        (224, 224, 3), 83_658_152, 15_460_270_080),
    "densenet121": Entry(
        _from("densenet", "densenet121"), ("C13",), _TASK, _DENSENET, (224, 224, 3),
        8_062_504, 2_834_161_664, recipe="densenet121_digits"),
    "densenet169": Entry(
        _from("densenet", "densenet169"), ("C13",), _TASK, _DENSENET, (224, 224, 3),
        14_307_880, 3_359_843_328),
    "densenet201": Entry(
        _from("densenet", "densenet201"), ("C13",), _TASK, _DENSENET, (224, 224, 3),
        20_242_984, 4_291_365_888),
    "densenet161": Entry(
        _from("densenet", "densenet161"), ("C13",), _TASK, _DENSENET, (224, 224, 3),
        28_900_936, 7_727_907_072),
    "darknet19": Entry(
        builder("detection", "yolo_v2", "darknet19"), ("D08",), _TASK, _YOLO9000,
        (224, 224, 3), 20_856_776, 2_741_837_824),
    "cifar_cnn": Entry(
        _from("cifar_cnn", "cifar_cnn"), ("C15",), _TASK, _CIFAR, (32, 32, 3),
        1_250_858, 20_741_120, pixel_range=(0.0, 1.0), recipe="cifar_cnn_digits"),
    "vit_ti16": Entry(
        _from("vit", "vit_ti"), ("C16",), _TASK, _DEIT, (224, 224, 3), 5_717_416,
        1_253_683_200, recipe="vit_ti16_digits"),
    "vit_ti32": Entry(
        _from("vit", "vit_ti", patch_size=32), ("C16",), _TASK, _DEIT, (224, 224, 3),
        6_131_560, 306_034_176),
    "vit_s16": Entry(
        _from("vit", "vit_s"), ("C16",), _TASK, _DEIT, (224, 224, 3), 22_050_664,
        4_598_882_304),
    "vit_s32": Entry(
        _from("vit", "vit_s", patch_size=32), ("C16",), _TASK, _DEIT, (224, 224, 3),
        22_878_952, 1_142_909_952),
    "vit_b16": Entry(
        _from("vit", "vit_b"), ("C16",), _TASK, _VIT, (224, 224, 3), 86_567_656,
        17_563_828_224),
    "vit_b32": Entry(
        _from("vit", "vit_b", patch_size=32), ("C16",), _TASK, _VIT, (224, 224, 3),
        88_224_232, 4_409_186_304),
    "localiser": Entry(
        _from("localisation", "localiser"), ("C17",), "localisation", _OVERFEAT,
        (224, 224, 3), 4_488_012, 570_547_200),
    "localiser_025": Entry(
        _from("localisation", "localiser", alpha=0.25), ("C17",), "localisation",
        _OVERFEAT, (224, 224, 3), 685_116, 41_632_896,
        recipe="localiser_025_scenes"),
    "overfeat_fast": Entry(
        _from("sliding_window", "overfeat_fast"), ("C18",), _TASK, _OVERFEAT,
        (231, 231, 3), 145_920_872, 2_801_403_904),
    "overfeat_fast_025": Entry(
        _from("sliding_window", "overfeat_fast", alpha=0.25), ("C18",), _TASK,
        _OVERFEAT, (231, 231, 3), 9_897_416, 196_346_368,
        recipe="overfeat_fast_025_digits"),
    "arcface": Entry(
        _from("verification", "arcface"), ("C19",), "verification", _ARCFACE,
        (112, 112, 3), 8_461_504, 142_002_944),
    "arcface_025": Entry(
        _from("verification", "arcface", alpha=0.25, embedding=128), ("C19",),
        "verification", _ARCFACE, (112, 112, 3), 641_968, 10_285_760,
        recipe="arcface_025_scenes"),
    "p4_cnn": Entry(
        _from("p4_cnn", "p4_cnn"), ("C20",), _TASK, _P4, (28, 28, 1), 24_740,
        11_673_760, recipe="p4_cnn_digits"),
    "p4m_cnn": Entry(
        _from("p4_cnn", "p4m_cnn"), ("C20",), _TASK, _P4, (28, 28, 1), 26_841,
        22_765_792, recipe="p4m_cnn_digits"),
}
# fmt: on
