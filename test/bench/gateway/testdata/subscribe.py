
import json

def message(topic, payload, wizard_api):
    wizard_api.mqtt_publish("out/pithings", json.dumps(vars_upload_test(json.loads(payload), wizard_api)), 0)
