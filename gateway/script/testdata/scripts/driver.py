# What stands after each script in the test: the host that it is called by, in Python, and
# its calls. It prints what the script publishes and returns.
def __host():
    import json as J

    class Wizard:
        def __init__(self):
            self.waiting = []

        def mqtt_publish(self, topic, payload, qos=0):
            print("publish", topic, repr(payload), qos)
            return True

        def awsiot_publish(self, topic, data, qos=0):
            print("awsiot", topic, J.dumps(data), qos)

        def save_data(self, data, group=None):
            print("save", J.dumps(data), group)

        def get_global_parameter(self):
            return {"gateway_sn": "GT7021234567890", "log_level": "INFO", "catch_recording": 100000, "warning_recording": 2000}

        def write_plc_values(self, message, callback=None, tail=None, timeout=60):
            print("write", message, timeout)
            result = [{"value": v, "device": d, "var_name": n, "result": "OK", "error": ""} for d, vs in message.items() if isinstance(vs, dict) for n, v in vs.items()]
            self.waiting.append((callback, result or ("error", -110, "timeout"), tail))

        def get_tag_config(self, callback, tail=None, timeout=60):
            config = {"devices": [{"device_name": "PLC"}], "groups": [], "warning": [], "vars": [{"device": "PLC", "var_name": "a"}, {"device": "x", "var_name": "b"}]}
            self.waiting.append((callback, config, tail))

        def answer(self):
            while self.waiting:
                callback, result, tail = self.waiting.pop(0)
                if callback:
                    callback(result, tail, self)

    api = Wizard()
    collect = {
        "timestamp": 1589538347.560471, "group_name": "default",
        "values": {
            "S7-1200": {"Test1": {"raw_data": False, "status": 1}, "Test2": {"raw_data": 12, "status": 1}},
            "PLC": {
                "temp_hi": {"raw_data": 16872, "status": 1}, "temp1_hi": {"raw_data": 16872, "status": 1}, "temp1_lo": {"raw_data": 0, "status": 1},
                "state1": {"raw_data": 65483, "status": 1}, "level": {"raw_data": 2.75, "status": 0}, "name": {"raw_data": "Päm", "status": 1},
            },
        },
    }
    alarm = {
        "timestamp": 1589434527.3628697, "group_name": "warning",
        "values": {"Warn1": {"timestamp": 1589434527, "current": "on", "status": 0, "value": 33, "alarm_content": "The speed has exceeded 30.", "level": 1},
                   "Warn2": {"timestamp": 1589434528, "current": "off", "status": 1, "value": 3, "alarm_content": "Low.", "level": 4}},
    }
    commands = [
        ("awsiot/send", '{"method": "set", "Device": "PLC", "SN": "a", "value": 1.5, "id": 7}'), ("awsiot/send", '{"method": "set", "SN": "a", "value": true}'),
        ("awsiot/send", '{"method": "get"}'), ("plant/PLC/set", '{"name": "a", "value": "20.5"}'), ("plant/PLC/set", '{"value": 100}'), ("plant/PLC/set", "[]"), ("plant/PLC/set", "{"),
    ]

    def call(f, *args):
        try:
            result = f(*args, api)
            if isinstance(result, (dict, list, tuple)):
                result = J.dumps(result)
            print(f.__name__, "returns", repr(result))
            api.answer()
        except Exception as e:
            print(f.__name__, "raises", type(e).__name__, e)

    for f in FUNCTIONS:
        if f.__name__ in ("ctl_test", "command"):
            for c in commands:
                call(f, *c)
        else:
            for i in range(3):
                call(f, collect if f.__name__ != "alarms" else alarm)
                collect["timestamp"] += 60.5
                collect["values"]["PLC"]["level"]["raw_data"] += 0.5
                collect["values"]["S7-1200"]["Test1"]["raw_data"] ^= True

__host()
