"""What strategy code may name: the words of the policy, without its grammar."""

import builtins
import itertools
import math
import statistics
from collections.abc import Mapping
from types import MappingProxyType


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _public(module: object) -> frozenset[str]:
    names = getattr(module, "__all__", None) or [n for n in dir(module) if not n.startswith("_")]
    return frozenset(str(name) for name in names)


_STRATEGY = _words("""
    IStrategy Trade Order PairLocks informative AnnotationType BooleanParameter
    CategoricalParameter DecimalParameter IntParameter RealParameter timeframe_to_minutes
    timeframe_to_seconds timeframe_to_msecs timeframe_to_next_date timeframe_to_prev_date
    merge_informative_pair stoploss_from_absolute stoploss_from_open
""")

_QTPYLIB = _words("""
    atr awesome_oscillator bollinger_bands cci chopiness crossed crossed_above crossed_below
    heikinashi hma hull_moving_average ibs implied_volatility keltner_channel log_returns macd
    mid_price nans numpy_rolling_mean numpy_rolling_std numpy_rolling_window pvt returns roc
    rolling_max rolling_mean rolling_min rolling_std rolling_vwap rolling_weighted_mean rsi session
    sma stoch tdi true_range typical_price vwap weighted_bollinger_bands wma zlema zlhma zlma zlsma
    zscore
""")

_PANDAS = _words("""
    Categorical CategoricalDtype DataFrame DateOffset DatetimeIndex Grouper Index Interval
    IntervalIndex MultiIndex NA NaT NamedAgg Period PeriodIndex RangeIndex Series Timedelta
    TimedeltaIndex Timestamp bdate_range concat crosstab cut date_range factorize get_dummies
    infer_freq isna isnull melt merge merge_asof merge_ordered notna notnull period_range pivot
    pivot_table qcut timedelta_range to_datetime to_numeric to_timedelta unique
    BooleanDtype Float64Dtype Int64Dtype StringDtype
""")

_NUMPY = _words("""
    False_ True_ abs absolute acos acosh add all allclose amax amin angle any append
    apply_along_axis apply_over_axes arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh
    argmax argmin argpartition argsort argwhere around array array_equal array_equiv array_split
    asanyarray asarray ascontiguousarray asin asinh astype atan atan2 atanh atleast_1d atleast_2d
    average bincount bitwise_and bitwise_invert bitwise_not bitwise_or bitwise_xor bool bool_
    broadcast_arrays broadcast_to c_ cbrt ceil choose clip column_stack complex128 compress concat
    concatenate convolve copy copysign corrcoef correlate cos cosh count_nonzero cov cross cumprod
    cumsum datetime64 deg2rad degrees delete diag diagonal diff digitize divide divmod dot double
    dstack dtype e ediff1d einsum empty empty_like equal errstate exp exp2 expand_dims expm1 extract
    eye fabs finfo fix flatnonzero flip fliplr flipud float16 float32 float64 float_power floating
    floor floor_divide fmax fmin fmod full full_like fromiter gcd geomspace gradient greater
    greater_equal hamming hanning heaviside histogram histogram_bin_edges hstack hypot identity
    iinfo in1d indices inf inner insert int16 int32 int64 int8 int_ integer interp intersect1d
    invert isclose isfinite isin isinf isnan isnat isneginf isposinf isscalar ix_ kron lcm less
    less_equal lexsort linspace log log10 log1p log2 logaddexp logical_and logical_not logical_or
    logical_xor logspace matmul max maximum mean median meshgrid min minimum mod modf moveaxis
    multiply nan nan_to_num nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin
    nanpercentile nanprod nanquantile nanstd nansum nanvar ndarray ndenumerate ndim negative newaxis
    nonzero not_equal number object_ ones ones_like outer pad partition percentile pi piecewise poly
    poly1d polyfit polyval positive power prod ptp put quantile r_ rad2deg radians ravel real
    reciprocal remainder repeat reshape resize rint roll rollaxis roots rot90 round s_ searchsorted
    select setdiff1d setxor1d shape sign signbit sin sinc sinh size sort split sqrt square squeeze
    stack std str_ subtract sum swapaxes take take_along_axis tan tanh tensordot tile timedelta64
    trace transpose trapezoid tri tril triu true_divide trunc ufunc uint16 uint32 uint64 uint8
    union1d unique vander var vdot vectorize vstack where zeros zeros_like
""")

_TALIB = _words("MA_Type Function get_functions get_function_groups")
"""Beside the indicators, whose names are capitals and digits."""

_TECHNICAL = _words("""
    MADR PMAX RMI SSLChannels TKE VIDYA atr_percent bollinger_bands chaikin_money_flow chopiness
    dema ema fibonacci_retracements hull_moving_average ichimoku laguerre madrid_sqz mmar osc
    return_on_investment rma sma stc supertrend td_sequential tema tv_alma tv_hma tv_trama tv_wma
    vfi vpci vpcii vwma vwmacd williams_percent zema
""")

_TYPING = _words("""
    Annotated Any Callable ClassVar Dict Final FrozenSet Generic Iterable Iterator List Literal
    Mapping NamedTuple Optional Protocol Self Sequence Set Tuple Type TypeAlias TypeVar TypedDict
    Union TYPE_CHECKING cast override
""")

_ABSTRACT = _words("Callable Collection Generator Iterable Iterator Mapping Sequence Set")

MODULES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "__future__": _words("annotations"),
        "abc": _words("ABC abstractmethod"),
        "collections": _words("ChainMap Counter OrderedDict defaultdict deque namedtuple"),
        "collections.abc": _ABSTRACT,
        "copy": _words("copy deepcopy"),
        "dataclasses": _words("asdict astuple dataclass field fields replace"),
        "datetime": _words("UTC date datetime time timedelta timezone"),
        "decimal": _words(
            "Decimal ROUND_CEILING ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN ROUND_HALF_EVEN "
            "ROUND_HALF_UP ROUND_UP localcontext"
        ),
        "enum": _words("Enum Flag IntEnum StrEnum auto unique"),
        "freqtrade.constants": _words("Config"),
        "freqtrade.enums": _words("CandleType ExitType MarginMode RunMode TradingMode"),
        "freqtrade.exchange": _words(
            "date_minus_candles timeframe_to_minutes timeframe_to_msecs timeframe_to_next_date "
            "timeframe_to_prev_date timeframe_to_resample_freq timeframe_to_seconds"
        ),
        "freqtrade.persistence": _words("LocalTrade Order PairLocks Trade"),
        "freqtrade.strategy": _STRATEGY,
        "freqtrade.strategy.interface": _words("IStrategy"),
        "freqtrade.strategy.parameters": _STRATEGY
        & _words(
            "BooleanParameter CategoricalParameter DecimalParameter IntParameter RealParameter"
        ),
        "freqtrade.vendor.qtpylib.indicators": _QTPYLIB,
        "functools": _words("cache cached_property cmp_to_key lru_cache partial reduce wraps"),
        "itertools": _public(itertools),
        "logging": _words("CRITICAL DEBUG ERROR INFO WARNING Logger getLogger"),
        "math": _public(math),
        "numpy": _NUMPY,
        "numpy.fft": _words("fft fftfreq fftshift ifft irfft rfft rfftfreq"),
        "numpy.lib.stride_tricks": _words("sliding_window_view"),
        "numpy.linalg": _words(
            "LinAlgError cholesky det eig eigh eigvals inv lstsq matrix_rank norm pinv qr solve svd"
        ),
        "numpy.typing": _words("ArrayLike NDArray"),
        "operator": _words("add and_ ge gt le lt mul or_ sub truediv"),
        "pandas": _PANDAS,
        "pandas.api.types": _words(
            "is_bool_dtype is_float_dtype is_integer_dtype is_numeric_dtype"
        ),
        "pandas.errors": _words("PerformanceWarning SettingWithCopyWarning"),
        "statistics": _public(statistics),
        "talib": _TALIB,
        "talib.abstract": _TALIB,
        "technical": frozenset(),
        "technical.bouncyhouse": _words("bounce touches"),
        "technical.candles": _words("doji heikinashi"),
        "technical.consensus": _words("Consensus MovingAverageConsensus OscillatorConsensus"),
        "technical.indicators": _TECHNICAL,
        "technical.indicators.indicators": _TECHNICAL,
        "technical.indicators.overlap_studies": _TECHNICAL,
        "technical.pivots_points": _words("pivots_points"),
        "technical.qtpylib": _QTPYLIB,
        "technical.trendline": _words("gentrends segtrends"),
        "technical.util": _words(
            "compute_interval resample_to_interval resampled_merge ticker_history_to_dataframe"
        ),
        "typing": _TYPING,
        "warnings": _words("catch_warnings filterwarnings simplefilter warn"),
    }
)
"""Every module that may be imported, and the names that may be taken from it."""

TEST_MODULES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "hypothesis": _words("HealthCheck assume example given note settings strategies"),
        "hypothesis.strategies": _words(
            "booleans builds composite data dates datetimes decimals dictionaries floats integers "
            "just lists none one_of sampled_from sets text tuples"
        ),
        "numpy.testing": _words("assert_allclose assert_array_equal"),
        "pandas.testing": _words("assert_frame_equal assert_index_equal assert_series_equal"),
        "pytest": _words("approx fixture mark param raises skip warns"),
        "types": _words("SimpleNamespace"),
        "unittest.mock": _words("MagicMock Mock"),
    }
)
"""What a plugin's tests may import besides."""

_BUILTIN_FUNCTIONS = _words("""
    abs all any ascii bin bool bytes callable chr classmethod complex dict divmod enumerate filter
    float format frozenset hash hex id int isinstance issubclass iter len list map max min next
    object oct ord pow print property range repr reversed round set slice sorted staticmethod str
    sum super tuple type zip Ellipsis NotImplemented True False None
""")

BUILTINS = _BUILTIN_FUNCTIONS | {
    name
    for name in dir(builtins)
    if name.endswith(("Error", "Warning", "Exception", "StopIteration", "ExceptionGroup"))
}
"""Python's own names that may be used."""

ALL_BUILTINS = frozenset(dir(builtins))

DUNDER_METHODS = _words("""
    __init__ __post_init__ __str__ __repr__ __len__ __iter__ __next__ __contains__ __getitem__
    __call__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __bool__ __float__ __int__ __add__
    __sub__ __mul__ __truediv__ __neg__ __abs__ __enter__ __exit__
""")
"""Special methods that a class of the plugin's may define."""

DUNDER_NAMES = _words("__name__ __all__ __version__ __author__")

_HARMLESS_TO = _words("""
    to_datetime to_datetime64 to_dict to_flat_index to_frame to_integral_value to_julian_date
    to_list to_numeric to_numpy to_period to_pydatetime to_pytimedelta to_records to_series
    to_timedelta to_timedelta64 to_timestamp
""")

_REFUSED = _words("""
    addHandler builtins commit ctypes ctypeslib dump dumps environ eval exec format_map fromfile
    from_custom_template getenv handlers importlib load loads manager memmap modules mro os popen
    query rollback save savetxt savez session style subprocess sys system tofile with_traceback
""")

_FRAMES = ("ag_", "co_", "cr_", "f_back", "f_builtins", "f_code", "f_globals", "f_locals", "gi_")
_TRACES = ("tb_", "func_", "im_")

CONFIG_KEYS = _words("""
    cancel_open_orders_on_exit dry_run dry_run_wallet entry_pricing exit_pricing fee
    ignore_roi_if_entry_signal margin_mode max_open_trades minimal_roi order_types
    position_adjustment_enable process_only_new_candles runmode stake_amount stake_currency
    stoploss timeframe timeframe_detail tradable_balance_ratio trading_mode trailing_stop
    use_exit_signal
""")
"""What a strategy may read of freqtrade's configuration; the rest holds keys and secrets."""


def is_refused_attribute(name: str) -> bool:
    """True for attributes that lead out of the data: to files, code, frames, modules."""
    if name.startswith(("to_", "read_")):
        return name not in _HARMLESS_TO
    return name in _REFUSED or name.startswith(_FRAMES + _TRACES)


def why_not(module: str) -> str:
    """What to do instead of importing a module that is not permitted."""
    top = module.split(".", 1)[0]
    if module.startswith("numpy.lib"):
        return "write 'import math'; numpy's insides change with every version"
    if top in _OUTSIDE:
        return "a strategy reaches no files, no network, no processes and no clock of its own"
    return _WHY.get(top, "not among the pinned packages: use talib, technical, pandas or numpy")


_WHY = {
    "freqtrade": "take it from freqtrade.strategy, freqtrade.persistence or freqtrade.exchange",
    "pipelines": "a strategy knows freqtrade, not the platform around it",
    "random": "a strategy that rolls dice cannot be checked",
    "runner": "a strategy knows freqtrade, not the platform around it",
    "shared": "shared code is imported as 'from shared.<name>_v<number> import …'",
}

_OUTSIDE = _words("""
    aiohttp asyncio builtins concurrent ctypes gc glob http httpx importlib inspect io json
    marshal multiprocessing os pathlib pickle platform requests runpy shelve shutil signal socket
    sqlite3 ssl subprocess sys tempfile threading time traceback urllib
""")
