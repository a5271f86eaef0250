"""The laparoscopic predictive index (Fagotti score): what the sheet says.

Nothing here computes a score. Points inform on two items, and with caution on a third; the other four are about
retraction, cake and infiltration, which points do not show.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One of the seven.

    Attributes:
        key: for the page's fields.
        name: as a surgeon calls it.
        two: what is scored 2.
        points: what points can and cannot tell of it.
        stations: where its evidence lies; none where points do not inform.
    """

    key: str
    name: str
    two: str
    points: str
    stations: tuple[str, ...] = ()


_NOT = "Points cannot inform this item: "

ITEMS = (
    Item(
        "peritoneal",
        "Peritoneal carcinosis",
        "massive or miliary involvement that cannot be resected",
        "Points show how many nodules are visible in a frame, not how deep they go nor whether they can be resected.",
        ("peritoneum", "peritoneum right", "peritoneum left", "pelvis"),
    ),
    Item(
        "diaphragmatic",
        "Diaphragmatic carcinosis",
        "widespread infiltrating carcinosis, or confluent nodules over most of the surface",
        "Points show where nodules are, not infiltration; confluent plaques may give few points.",
        ("diaphragm", "diaphragm right", "diaphragm left"),
    ),
    Item(
        "mesenteric",
        "Mesenteric disease",
        "retraction, or large infiltrating nodules at the root of the mesentery",
        _NOT + "retraction and infiltration are not visible as points.",
    ),
    Item(
        "omental",
        "Omental disease",
        "cake up to the greater curvature of the stomach",
        _NOT + "a cake is one mass, not a number of points.",
    ),
    Item(
        "bowel",
        "Bowel infiltration",
        "infiltration for which bowel must be resected, or miliary disease of the serosa",
        _NOT + "infiltration and the need to resect are not visible as points.",
    ),
    Item(
        "stomach",
        "Stomach infiltration",
        "infiltration of the wall, the lesser omentum or the hilum of the spleen",
        _NOT + "infiltration is not visible as points.",
    ),
    Item(
        "liver",
        "Liver surface",
        "metastases on the surface; larger than 2 cm in most versions",
        "With caution: a point has no size, so it cannot tell 2 cm, and lesions in the liver are not seen at all.",
        ("liver",),
    ),
)


@dataclass(frozen=True)
class CutOff:
    """A cut-off of the index, who says so, and how far that was checked."""

    value: int
    says: str
    source: str
    checked: str
    verified: bool


CUT_OFFS = (
    CutOff(
        8,
        "At 8 or more: suboptimal surgery with a specificity and a positive predictive value of 100 % and a negative "
        "predictive value of 70 % (61 patients, residual disease up to 1 cm counts as optimal).",
        "Fagotti et al., Ann Surg Oncol 2006, pilot study",
        "checked against the abstract",
        True,
    ),
    CutOff(
        8,
        "At 8 or more: the probability of optimal resection at laparotomy is 0, and unnecessary laparotomies are "
        "40.5 % (113 patients).",
        "Fagotti et al., Am J Obstet Gynecol 2008;199:642.e1-6, prospective validation",
        "checked against the abstract",
        True,
    ),
    CutOff(
        10,
        "At 10 or more, in an updated model with an item fewer: complete primary surgery practically never, about 33 % "
        "unnecessary laparotomies.",
        "Petrillo et al., Gynecol Oncol 2015",
        "NOT VERIFIED: neither paper nor abstract could be read; the updated model is not the sum of these seven items",
        False,
    ),
)

UNVERIFIED = (
    "The wording of what is scored 2 is taken from secondary sources; the original papers' tables could not be read. "
    "Versions differ: surface metastases of the spleen count with the stomach or with the liver."
)
AGREEMENT = (
    "Surgeons who scored the same videos agreed well (intraclass correlation 0.83 with all items, 0.64 with the "
    "adjusted score; 11 surgeons, 15 videos); mesentery, stomach and liver could least be explored (FRANCOGYN "
    "study, abstract)."
)
