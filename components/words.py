"""The sentences that explain what is shown: one for each level, each choice and each state."""

from __future__ import annotations

from dataclasses import dataclass

METHOD = "/method"
CLOSED_VOLS = (
    "The market is closed. A volatility a year is the last session's price over the time left from now: it reads higher as "
    "the hours pass without trading. Gamma exposure and expected moves don't depend on it."
)
DIFFERENCES = "/differences"


@dataclass(frozen=True, slots=True)
class Tile:
    """One number of the levels strip."""

    id: str
    label: str
    explain: str


TILES = (
    Tile("spot", "Spot", "The underlying's price now, and its change since the last close."),
    Tile(
        "flip",
        "Gamma flip",
        "The price at which total gamma exposure changes sign: below it dealers usually amplify moves, above it they damp "
        "them. ± is how far it moves between bid and ask quotes. The root nearest spot is shown.",
    ),
    Tile(
        "call_wall",
        "Call wall",
        "The strike with the largest call gamma exposure: hedging there tends to resist a rise.",
    ),
    Tile(
        "put_wall",
        "Put wall",
        "The strike with the largest put gamma exposure: hedging there tends to slow or, once broken, speed a fall.",
    ),
    Tile(
        "net_gex",
        "Net GEX",
        "Dollars that dealers must trade for a 1 % move under the chosen convention: positive damps moves, negative "
        "amplifies them.",
    ),
    Tile(
        "max_pain",
        "Max pain",
        "The strike at which the options' total value at expiry would be smallest, weighed by open interest.",
    ),
    Tile(
        "expected_move",
        "Expected move",
        "What the nearest expiry's at-the-money straddle prices in, either way.",
    ),
    Tile(
        "confidence",
        "Confidence",
        "0 to 1, from the share of open interest used, the fallbacks needed and the spreads and ages of the quotes.",
    ),
)

VIEW_WORDS = {
    "overview": ("Overview", "Levels, net GEX by strike, the profile and strike by expiry on one price axis"),
    "strikes": ("Strikes", "Exposure, open interest and volume by strike"),
    "surface": ("Surface", "Strike by expiry, every expiry"),
    "profile": ("Profile", "Total gamma exposure if spot stood elsewhere"),
    "greeks": ("Greeks", "Delta, vanna and charm exposure by strike or by expiry"),
    "volatility": ("Volatility", "The smile of each expiry, the term structure and the expected move"),
    "expiries": ("Expiries", "Every expiry with its forward, volatility and exposure"),
    "time": ("Time", "Net GEX by strike over a recorded day, with spot and the levels through it"),
    "compare": ("Compare", "Up to four symbols side by side, or an index and its funds on one price axis"),
    "status": ("Status", "Feed, cache, engine and sessions, with the last hour's events"),
}

GREEK_WORDS = (
    (
        "DEX",
        "delta exposure: the dealers' options move like so many dollars of the underlying; the opposite is their hedge.",
    ),
    ("VEX", "vanna exposure: by how much that changes when every volatility rises by one point."),
    (
        "CHEX",
        "charm exposure: by how much it changes as time alone passes, a day, or an hour for what expires today.",
    ),
)

BUCKET_WORDS = {
    "0dte": ("0DTE", "Options that expire today, or on the nearest day where none do"),
    "week": ("Week", "Options that expire up to the coming Friday"),
    "month": ("Month", "Options that expire within 31 days"),
    "all": ("All", "Every expiry in the chain"),
    "ex_next": ("Excluding next", "Every expiry but the nearest: what is left once it has settled"),
}

CHOICE_WORDS: dict[str, dict[str, tuple[str, str]]] = {
    "show": {
        "net": ("Net", "Calls and puts of a strike added"),
        "split": ("Calls, puts", "Calls and puts of a strike drawn apart, the net as a tick"),
        "absolute": ("Absolute", "The size of calls and puts added, whatever their sign: where gamma sits"),
    },
    "by": {
        "strike": ("By strike", "The exposure of each strike, all chosen expiries added up"),
        "expiry": ("By expiry", "The exposure of each expiry, all strikes added up, as a table"),
    },
    "measure": {
        "gex": ("GEX", "Gamma exposure: dollars to trade as spot moves"),
        "dex": (
            "DEX",
            "Delta exposure: how many dollars of the underlying the dealers' options are worth in delta",
        ),
        "vex": (
            "VEX",
            "Vanna exposure: by how much that delta changes when every volatility rises by one point",
        ),
        "chex": (
            "CHEX",
            "Charm exposure: by how much it changes as time passes: an hour for what expires today, else a day",
        ),
        "oi": ("OI", "Open interest, calls and puts, contracts: no side, no model"),
        "volume": ("Volume", "Contracts traded today, calls and puts: no side, no model"),
    },
    "join": {
        "apart": ("Side by side", "Each symbol on its own price axis"),
        "together": (
            "Added up",
            "An index and its funds on one price axis: strikes scaled by the ratio of the spots, dollars added",
        ),
    },
    "weight": {
        "oi": ("OI", "Contracts counted by last night's open interest"),
        "volume": ("Volume", "Contracts counted by today's volume: new positions and closed ones alike"),
        "oi_plus_volume": ("OI + vol", "Open interest and today's volume added"),
        "flow": (
            "Flow",
            "Today's trades signed by the side that hit the quote; it can't tell opening from closing",
        ),
    },
    "side": {
        "naive": (
            "Dealers: calls long, puts short",
            "The usual assumption: customers sell calls and buy puts. True positions are not public",
        ),
        "inverted": ("Dealers: calls short, puts long", "The opposite of the usual assumption"),
        "long": ("Dealers: long both", "Gross gamma: every contract counted positive"),
    },
    "unit": {
        "per_1pct": ("$ per 1 % move", "Dollars to trade when spot moves by 1 %"),
        "per_point": ("$ per point", "Dollars to trade when spot moves by one point"),
    },
    "walls": {
        "gross": ("Walls: gross", "Walls are the strikes of the largest call and put exposure"),
        "net": (
            "Walls: net",
            "Walls are the strikes of the largest positive and negative net exposure",
        ),
    },
}
