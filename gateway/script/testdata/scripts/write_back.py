import json
import logging
from datetime import datetime
from common.Logger import logger

def ctl_test(topic, payload, wizard_api):
    logger.info("%s %s", topic, payload)
    payload = json.loads(payload)
    if payload.get("method") == "set":
        message = {payload["Device"]: {payload["SN"]: payload["value"]}} if "Device" in payload else {payload["SN"]: payload["value"]}
        wizard_api.write_plc_values(message, ack_tail, [topic.replace("send", "ack"), payload.get("id", 0)], timeout=0.5)
    else:
        wizard_api.get_tag_config(tagconfig, None, 0.5)

def ack_tail(send_result, tail, wizard_api):
    topic, id = tail
    if isinstance(send_result, tuple):
        resp_data = {"Status": "timeout", "code": send_result[1], "time": str(datetime.utcfromtimestamp(0))}
    else:
        resp_data = {"Status": send_result[0]["result"], "id": id}
    wizard_api.mqtt_publish(topic, json.dumps(resp_data), 1)

def tagconfig(config, tail, wizard_api):
    names = {d["device_name"]: [v["var_name"] for v in config["vars"] if v["device"] == d["device_name"]] for d in config["devices"]}
    wizard_api.mqtt_publish("config", json.dumps(names, indent=2), 0)
    params = wizard_api.get_global_parameter()
    logger.warning("{gateway_sn}: {count:>3} vars".format(count=len(config["vars"]), **params))
    try:
        params["missing"]
    except KeyError as e:
        logger.error("no parameter %s" % e)
