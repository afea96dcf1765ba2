"""The policy on the syntax tree: what it lets through and what it shows to a human."""

from textwrap import dedent

import pytest

from pipelines.checks import policy
from pipelines.domain.strategy import SourceFile
from pipelines.domain.verdict import Finding

HEAD = """
import numpy as np
import pandas as pd
import talib.abstract as ta
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy, informative
from pandas import DataFrame
"""


def judged(source: str, path: str = "x/strategy.py", *more: SourceFile) -> tuple[Finding, ...]:
    return policy.findings((SourceFile(path, dedent(source).encode()), *more))


ORDINARY = {
    "the indicators of talib": HEAD + "rsi = ta.RSI(DataFrame(), timeperiod=14)",
    "talib without abstract": "import talib\nlisted = talib.get_function_groups()",
    "crossing lines": "import freqtrade.vendor.qtpylib.indicators as q\nabove = q.crossed_above",
    "technical's qtpylib": "from technical import qtpylib\nbands = qtpylib.bollinger_bands",
    "technical's indicators": "from technical.indicators import ichimoku, supertrend",
    "numpy's mathematics": HEAD + "a = np.where(np.isfinite([1.0]), np.nan, np.linalg.norm([1]))",
    "a sliding window": "from numpy.lib.stride_tricks import sliding_window_view",
    "parameters": "from freqtrade.strategy import IntParameter\nbuy = IntParameter(1, 9, default=3)",
    "a logger": "import logging\nlogger = logging.getLogger(__name__)\nlogger.info('%s', 1)",
    "reduced conditions": "from functools import reduce\nall_of = reduce(lambda x, y: x & y, [1])",
    "a column named like a builtin": "def f(dataframe):\n    open = dataframe['open']\n    return open",
    "several such columns": "def f(df):\n    open, input = df.open, df['x']\n    return [open for o in [open]]",
    "an argument named like a module": "import numpy as np\ndef f(np):\n    return np",
    "its own private attribute": "class A:\n    def __init__(self):\n        self._seen = {}\n        self._seen['a'] = 1",
    "its own private method": "class A:\n    def f(self):\n        return self._g()\n    def _g(self):\n        return 1",
    "super": "class A(dict):\n    def __init__(self, config):\n        super().__init__(config)",
    "its class's name": "class A:\n    def f(self):\n        return self.__class__.__name__",
    "a numbered parameter": "class A:\n    def f(self):\n        return getattr(self, f'buy_{1}').value",
    "an optional method": "class A:\n    def f(self):\n        return hasattr(self, 'dp')",
    "decorators": HEAD + "class A(IStrategy):\n    @informative('1d')\n    def f(self, d, m):\n        return d\n    @property\n    def protections(self):\n        return []",
    "a dataclass": "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass A:\n    x: int = 1",
    "shifting back": "def f(df):\n    return df['close'].shift(1).shift(periods=2).rolling(3).mean()",
    "aggregating by name": "def f(df):\n    return df.resample('1h').agg({'open': 'first', 'high': 'max'})",
    "aggregating by a table": "RULES = {'open': 'first'}\ndef f(df):\n    return df.resample('1h').agg(RULES)",
    "applying a function": "def g(row):\n    return 1\ndef f(df):\n    return df.apply(g, axis=1).apply(lambda x: x)",
    "formatting": "text = '{:.2f} {}'.format(1.0, f'{2:>3}')",
    "harmless conversions": "def f(s):\n    return s.to_numpy(), s.to_list(), s.tolist(), s.to_dict()",
    "the run mode": "class A:\n    def f(self):\n        return self.config['runmode'].value, self.config.get('stake_currency')",
    "open trades": HEAD + "def f(pair):\n    return [t.open_rate for t in Trade.get_trades_proxy(pair=pair)]",
    "the analysed frame": "class A:\n    def f(self, pair):\n        frame, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)\n        return frame.iloc[-1].squeeze()",
    "setting columns": "def f(df):\n    df.loc[df['a'] > 0, ['enter_long', 'enter_tag']] = (1, 'x')\n    return df",
    "stride of time": "from datetime import UTC, datetime, timedelta\nnow = datetime(2021, 1, 1, tzinfo=UTC) + timedelta(hours=1)",
    "the type of something": "def f(x):\n    return type(x).__name__, isinstance(x, float)",
    "matching": "def f(x):\n    match x:\n        case {'a': 1, **rest}:\n            return rest\n        case _:\n            return None",
}  # fmt: skip

EVASIONS = {
    "imports os": "import os",
    "imports os under another name": "import os.path as np",
    "imports inside a function": "def f():\n    import subprocess",
    "imports relatively": "from . import other",
    "imports everything": "from pandas import *",
    "imports the platform": "from pipelines.adapters import git",
    "imports a shared module without a number": "from shared.regime import x",
    "takes a module out of a module": "from pandas import io",
    "takes os out of logging": "from logging import os",
    "walks through pandas": HEAD + "pd.io.common.os.system('id')",
    "walks through numpy": HEAD + "np.ctypeslib.ctypes",
    "renames a module first": HEAD + "p = pd\np.io",
    "hides a module in a list": HEAD + "[pd][0].io",
    "hands a module to a function": HEAD + "print(pd)",
    "evaluates a text": "eval('1')",
    "evaluates in a frame": "def f(df):\n    return df.eval('@pd.io.common.os.getpid()')",
    "queries a frame": "def f(df):\n    return df.query('a > 1')",
    "names eval without calling it": "f = eval",
    "maps exec": "list(map(exec, ['1']))",
    "opens a file": "open('/etc/passwd')",
    "opens a file behind a comprehension": "def f():\n    return [open for open in [1]], open('x')",
    "opens a file in a comprehension's source": "def f():\n    return [x for open in open('x')]",
    "binds open in the module, then deletes it": "open = 1\ndel open\nopen('x')",
    "binds open in another function": "def g():\n    open = 1\ndef f():\n    return open('x')",
    "declares open global": "def f():\n    global open\n    open = 1\n    return open",
    "imports in a function that it rebinds": HEAD + "def f():\n    import pandas as pd\n    x = pd.io\n    pd = 1",
    "gets an attribute by a computed name": "getattr(1, '__cl' + 'ass__')",
    "gets a special attribute": "getattr(1, '__class__')",
    "gets an attribute of a module": HEAD + "getattr(pd, 'io')",
    "gets the configuration by name": "class A:\n    def f(self):\n        return getattr(self, 'config')",
    "walks to the base classes": "().__class__.__base__.__subclasses__()",
    "walks through a function": "def f():\n    pass\nf.__globals__",
    "walks through a generator's frame": "g = (x for x in [1])\ng.gi_frame.f_back.f_builtins",
    "walks through a traceback": "def f(e):\n    return e.tb_frame",
    "walks in a format": "'{0.__class__.__init__.__globals__}'.format(1)",
    "walks in a nested format": "'{0:{1.__class__}}'.format(1, 2)",
    "formats a computed text": "def f(t):\n    return t.format(1)",
    "formats a mapping": "'{a}'.format_map({})",
    "walks in a pattern": "def f(x):\n    match x:\n        case object(__class__=c):\n            return c",
    "names the builtins": "__builtins__['open']",
    "names the loader": "__loader__.load_module('os')",
    "uses full-width letters": "ｅval('1')",
    "loads pickles with numpy": HEAD + "np.load('x', allow_pickle=True)",
    "saves with numpy": HEAD + "np.save('x', [1])",
    "writes a file with an array": "def f(a):\n    a.tofile('x')",
    "reads with pandas": HEAD + "pd.read_pickle('x')",
    "writes with pandas": "def f(df):\n    df.to_csv('x')",
    "applies a method by name": "def f(df):\n    df.apply('to_pickle', path='x')",
    "applies a method by a computed name": "def f(df):\n    df.apply('to_' + 'pickle', path='x')",
    "applies a method by a joined name": "def f(df):\n    df.agg(''.join(['ev', 'al']), expr='1')",
    "applies a method by a variable": "NAME = 'eval'\ndef f(df):\n    df.agg(NAME, expr='1')",
    "makes a class on the way": "type('A', (), {})",
    "gives a metaclass": "class A(metaclass=print):\n    pass",
    "computes a base": "class A(print()):\n    pass",
    "computes a decorator": "@(lambda f: f)\ndef f():\n    pass",
    "is called behind the scenes": "class A:\n    def __getattr__(self, name):\n        return name",
    "defines how it is unpickled": "class A:\n    def __reduce__(self):\n        return (print, ())",
    "writes a global": "x = 1\ndef f():\n    global x\n    x = 2",
    "changes freqtrade for everybody": HEAD + "IStrategy.stoploss = -1",
    "changes pandas for everybody": HEAD + "pd.DataFrame = None",
    "reaches into freqtrade": "class A:\n    def f(self):\n        return self.dp._exchange",
    "reaches into its own base": "class A:\n    def f(self):\n        return self._ft_params_from_file",
    "reads the exchange's secret": "class A:\n    def f(self):\n        return self.config['exchange']['secret']",
    "reads the original configuration": "class A:\n    def f(self):\n        return self.config.get('original_config')",
    "hands on the configuration": "class A:\n    def f(self):\n        return dict(self.config)",
    "writes the configuration": "class A:\n    def f(self):\n        self.config['max_open_trades'] = 99",
    "talks to the database": HEAD + "def f():\n    Trade.session.execute('drop table trades')",
    "sets an attribute by name": "setattr(1, 'x', 2)",
    "rolls dice": HEAD + "np.random.rand()",
    "shifts into the future": "def f(df):\n    return df['close'].shift(-1)",
    "shifts into the future by name": "def f(df):\n    return df['close'].shift(periods=-3)",
    "centres a window": "def f(df):\n    return df['close'].rolling(5, center=True).mean()",
    "fills backwards": "def f(df):\n    return df.bfill()",
    "fills backwards by name": "def f(df):\n    return df.fillna(method='bfill')",
    "declares another encoding": "# coding: utf-7\nx = 1",
    "is no Python": "def (:",
}  # fmt: skip


@pytest.mark.parametrize("source", ORDINARY.values(), ids=ORDINARY)
def test_accepts_what_strategies_ordinarily_do(source: str) -> None:
    assert judged(source) == ()


@pytest.mark.parametrize("source", EVASIONS.values(), ids=EVASIONS)
def test_objects_to(source: str) -> None:
    assert judged(source)


def test_says_where_what_and_what_to_do() -> None:
    (finding,) = judged("x = 1\nimport requests\n")
    assert finding.what == "strategies/x/strategy.py:2: imports requests"
    assert finding.hint == (
        "a strategy reaches no files, no network, no processes and no clock of its own"
    )


def test_tells_all_objections_at_once_in_the_order_of_lines() -> None:
    found = judged("import os\nimport sys\neval('1')\n")
    assert [finding.what.rsplit(": ", 1)[1] for finding in found] == [
        "imports os",
        "imports sys",
        "uses eval",
    ]


def test_says_the_same_thing_of_one_line_only_once() -> None:
    assert len(judged("x = [eval, eval]")) == 1


def test_names_the_way_out_for_a_package_that_is_not_pinned() -> None:
    (finding,) = judged("import pandas_ta as pta")
    assert finding.hint == "not among the pinned packages: use talib, technical, pandas or numpy"


def test_tests_may_import_what_tests_need_and_strategies_may_not() -> None:
    source = "import pytest\nfrom hypothesis import given\n\n@pytest.mark.parametrize('a', [1])\ndef test_a(a):\n    pass\n"
    assert judged(source, "x/test_x.py") == ()
    assert len(judged(source, "x/strategy.py")) == 2


def test_tests_may_shift_candles_into_the_past() -> None:
    assert judged("def test_a(frame):\n    frame['close'].shift(-1)\n", "x/test_x.py") == ()


def test_tests_are_held_to_the_rest_of_the_policy() -> None:
    assert judged("import os", "x/test_x.py")
    assert judged("import pytest\npytest.importorskip('os')", "x/test_x.py")


def test_files_of_a_plugin_may_import_each_other() -> None:
    other = SourceFile("x/levels.py", b"import math\n\ndef level():\n    return 1\n")
    assert judged("import levels\nlevels.level()", "x/strategy.py", other) == ()
    assert judged("from levels import level", "x/strategy.py", other) == ()


def test_another_file_is_no_way_to_the_modules_that_it_imports() -> None:
    other = SourceFile("shared/levels_v1.py", b"import pandas as pd\nLEVEL = 1\n")
    assert judged("from shared.levels_v1 import LEVEL", "x/strategy.py", other) == ()
    assert judged("from shared.levels_v1 import pd", "x/strategy.py", other)
    assert judged("import shared.levels_v1 as s\ns.pd.io", "x/strategy.py", other)


def test_shared_code_is_held_to_the_policy_too() -> None:
    (finding,) = judged("x = 1", "x/strategy.py", SourceFile("shared/a_v1.py", b"import os"))
    assert finding.what.startswith("strategies/shared/a_v1.py:1: ")


def test_a_file_may_not_hide_a_module() -> None:
    (finding,) = judged("x = 1", "x/numpy.py")
    assert "hides a module" in finding.what


@pytest.mark.parametrize("path", ["x/lib.so", "x/model.pkl", "x/run.sh", "x/pytest.ini"])
def test_objects_to_files_that_are_no_part_of_a_plugin(path: str) -> None:
    (finding,) = policy.findings((SourceFile(path, b""),))
    assert finding.what == f"strategies/{path}: is of a kind that does not belong into a plugin"


def test_a_file_that_is_no_text_is_named() -> None:
    (finding,) = policy.findings((SourceFile("x/strategy.py", b"a = 1\nb = '\xff'\n"),))
    assert finding.what == "strategies/x/strategy.py:2: is not UTF-8 text"


def test_the_shipped_strategies_pass() -> None:
    from pathlib import Path

    folder = Path(__file__).resolve().parents[2] / "strategies"
    files = tuple(
        SourceFile(path.relative_to(folder).as_posix(), path.read_bytes())
        for path in sorted(folder.rglob("*.py"))
        if "__pycache__" not in path.parts
    )
    assert policy.findings(files) == ()
