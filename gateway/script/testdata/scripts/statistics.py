# A user's: per minute minimum, maximum, mean and deviation, in a class with state.
import math, time, json
from collections import defaultdict, deque, OrderedDict
from common.Logger import logger

class Window:
    """The last values of one variable."""
    size = 5

    def __init__(self, name, size=None):
        self.name = name
        self.values = deque(maxlen=size or Window.size)

    def __len__(self):
        return len(self.values)

    def add(self, value):
        self.values.append(float(value))
        return self

    def summary(self):
        n = len(self)
        mean = sum(self.values) / n
        deviation = math.sqrt(sum((v - mean) ** 2 for v in self.values) / n)
        return OrderedDict([("min", min(self.values)), ("max", max(self.values)), ("mean", round(mean, 3)), ("dev", round(deviation, 4))])

windows = {}
rounds = defaultdict(int)

def main(data_collect, wizard_api):
    for device, variables in data_collect["values"].items():
        for name, var in variables.items():
            value = var["raw_data"]
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            key = (device, name)
            if key not in windows:
                windows[key] = Window("%s.%s" % key)
            windows[key].add(value)
            rounds[device] += 1
    out = {w.name: w.summary() for w in sorted(windows.values(), key=lambda w: w.name)}
    logger.info("rounds: %s", dict(rounds))
    logger.debug(f"{len(windows)} windows, {time.strftime('%H:%M', time.gmtime(data_collect['timestamp']))}")
    return json.dumps(out, separators=(",", ":"))
