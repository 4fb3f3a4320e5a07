"""Field numbers of the streamer's level-one services, as its guide numbers them."""

from __future__ import annotations

from enum import IntEnum


class Opt(IntEnum):
    """LEVELONE_OPTIONS."""

    SYMBOL = 0
    DESCRIPTION = 1
    BID = 2
    ASK = 3
    LAST = 4
    HIGH = 5
    LOW = 6
    CLOSE = 7
    VOLUME = 8
    OPEN_INTEREST = 9
    VOLATILITY = 10
    INTRINSIC = 11
    YEAR = 12
    MULTIPLIER = 13
    DIGITS = 14
    OPEN = 15
    BID_SIZE = 16
    ASK_SIZE = 17
    LAST_SIZE = 18
    NET_CHANGE = 19
    STRIKE = 20
    CONTRACT_TYPE = 21
    UNDERLYING = 22
    MONTH = 23
    DELIVERABLES = 24
    TIME_VALUE = 25
    DAY = 26
    DAYS = 27
    DELTA = 28
    GAMMA = 29
    THETA = 30
    VEGA = 31
    RHO = 32
    STATUS = 33
    THEORETICAL = 34
    UNDERLYING_PRICE = 35
    EXPIRATION_TYPE = 36
    MARK = 37
    QUOTE_TIME = 38
    TRADE_TIME = 39
    EXCHANGE = 40
    EXCHANGE_NAME = 41
    LAST_TRADING_DAY = 42
    SETTLEMENT = 43
    NET_PERCENT = 44
    MARK_CHANGE = 45
    MARK_PERCENT = 46
    IMPLIED_YIELD = 47
    IS_PENNY = 48
    ROOT = 49
    HIGH_52 = 50
    LOW_52 = 51
    INDICATIVE_ASK = 52
    INDICATIVE_BID = 53
    INDICATIVE_TIME = 54
    EXERCISE = 55


class Eq(IntEnum):
    """LEVELONE_EQUITIES, which serves indices as well."""

    SYMBOL = 0
    BID = 1
    ASK = 2
    LAST = 3
    BID_SIZE = 4
    ASK_SIZE = 5
    ASK_ID = 6
    BID_ID = 7
    VOLUME = 8
    LAST_SIZE = 9
    HIGH = 10
    LOW = 11
    CLOSE = 12
    EXCHANGE_ID = 13
    MARGINABLE = 14
    DESCRIPTION = 15
    LAST_ID = 16
    OPEN = 17
    NET_CHANGE = 18
    HIGH_52 = 19
    LOW_52 = 20
    PE_RATIO = 21
    DIVIDEND_AMOUNT = 22
    DIVIDEND_YIELD = 23
    NAV = 24
    EXCHANGE_NAME = 25
    DIVIDEND_DATE = 26
    REGULAR_QUOTE = 27
    REGULAR_TRADE = 28
    REGULAR_LAST = 29
    REGULAR_LAST_SIZE = 30
    REGULAR_NET_CHANGE = 31
    STATUS = 32
    MARK = 33
    QUOTE_TIME = 34
    TRADE_TIME = 35
    REGULAR_TRADE_TIME = 36
    BID_TIME = 37
    ASK_TIME = 38
    ASK_MIC = 39
    BID_MIC = 40
    LAST_MIC = 41
    NET_PERCENT = 42
    REGULAR_PERCENT = 43
    MARK_CHANGE = 44
    MARK_PERCENT = 45
    HTB_QUANTITY = 46
    HTB_RATE = 47
    HARD_TO_BORROW = 48
    SHORTABLE = 49
    POST_NET_CHANGE = 50
    POST_PERCENT = 51
