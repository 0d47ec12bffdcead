import logging
from common.Logger import logger

def vars_upload_test(data_collect, wizard_api):
    value_list = []
    for device, val_dict in data_collect['values'].items():
        value_dict = {
            "Device": device,
            "timestamp": data_collect["timestamp"],
            "Data": {}
        }
        for id, val in val_dict.items():
            value_dict["Data"][id] = val["raw_data"]
        value_list.append(value_dict)
    logger.info(value_list)
    wizard_api.awsiot_publish("awsiot/test", value_list, 1) # Topic, data, QoS

def ctl_test(topic, payload, wizard_api): # The subscribe script of awsiot/send
    logging.info(topic)
    logging.info(payload)
