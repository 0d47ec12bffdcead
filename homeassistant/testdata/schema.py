# writes schema.json (expanded keys) and abbreviations.json
import json
COMMON="availability availability_mode availability_template availability_topic default_entity_id device enabled_by_default encoding entity_category entity_picture group icon json_attributes_template json_attributes_topic message_expiry_interval name origin payload_available payload_not_available qos unique_id visible_by_default".split()
P={'binary_sensor':("device_class expire_after force_update off_delay payload_off payload_on state_topic value_template",["state_topic"]),
'button':("command_template command_topic device_class payload_press retain",["command_topic"]),
'camera':("image_encoding topic",["topic"]),
'image':("content_type image_encoding image_topic url_template url_topic",[]),
'sensor':("device_class expire_after force_update last_reset_value_template options state_class state_topic suggested_display_precision unit_of_measurement value_template",["state_topic"]),
'switch':("command_template command_topic device_class optimistic payload_off payload_on retain state_off state_on state_topic value_template",["command_topic"]),
'text':("command_template command_topic max min mode optimistic pattern retain state_topic value_template",["command_topic"]),
'number':("command_template command_topic device_class max min mode optimistic payload_reset retain state_topic step unit_of_measurement value_template",["command_topic"]),
'event':("device_class event_types state_topic value_template",["state_topic","event_types"]),
'update':("command_topic device_class display_precision latest_version_template latest_version_topic payload_install release_summary release_url retain state_topic title value_template",["state_topic"])}
# device_automation is no entity: mqtt/device_trigger.py TRIGGER_DISCOVERY_SCHEMA (MQTT_BASE_SCHEMA of mqtt/config.py, and
# these; it drops unique_id, availability and all else), mqtt/device_automation.py AUTOMATION_TYPES. A trigger is known by
# device, type and subtype: two with the same are an error there (MqttDeviceTrigger.trigger_id).
TRIGGER="platform automation_type encoding group payload qos subtype topic type value_template".split()
TRIGGER_REQ="automation_type subtype topic type".split()
# SensorDeviceClass (sensor/const.py), NumberDeviceClass (number/const.py: the same but for these), SwitchDeviceClass,
# ButtonDeviceClass, UpdateDeviceClass, EventDeviceClass (button, doorbell, motion): an unknown one refuses the component.
SENSOR_CLASSES="apparent_power aqi area atmospheric_pressure battery blood_glucose_concentration carbon_dioxide carbon_monoxide conductivity current data_rate data_size date distance duration energy energy_distance energy_storage enum frequency gas humidity illuminance irradiance moisture monetary nitrogen_dioxide nitrogen_monoxide nitrous_oxide ozone ph pm1 pm10 pm25 pm4 power power_factor precipitation precipitation_intensity pressure reactive_energy reactive_power signal_strength sound_pressure speed sulphur_dioxide temperature temperature_delta timestamp volatile_organic_compounds volatile_organic_compounds_parts voltage volume volume_flow_rate volume_storage water weight wind_direction wind_speed".split()
CLASSES={'sensor':SENSOR_CLASSES,'number':[c for c in SENSOR_CLASSES if c not in ("date","enum","timestamp")],'switch':["outlet","switch"],'button':["identify","restart","update"],'update':["firmware"],'event':["button","doorbell","motion"]}
S={"type":"string"}; sub={"type":"string","minLength":1,"maxLength":65535,"not":{"pattern":"(.#|#.|[^/]\\+|\\+[^/])"},"$comment":"subscribe topic"}
pub={"type":"string","minLength":1,"pattern":"^[^+#]+$"}
typ={'state_topic':pub,'command_topic':pub,'url_topic':pub,'image_topic':pub,'topic':pub,'availability_topic':pub,'json_attributes_topic':pub,'latest_version_topic':pub,
 'qos':{"enum":[0,1,2]},'availability_mode':{"enum":["all","any","latest"]},'entity_category':{"enum":["config","diagnostic"]},'enabled_by_default':{"type":"boolean"},'visible_by_default':{"type":"boolean"},'force_update':{"type":"boolean"},'retain':{"type":"boolean"},'optimistic':{"type":"boolean"},
 'expire_after':{"type":"integer","minimum":0},'off_delay':{"type":"integer","minimum":0},'suggested_display_precision':{"type":"integer","minimum":0},'display_precision':{"type":"integer","minimum":0},'icon':{"type":"string","pattern":"^[a-z0-9-]+:[a-z0-9-]+$"},'image_encoding':{"enum":["b64","raw"]},
 'default_entity_id':{"type":"string","pattern":"^[a-z_]+\\.[a-z0-9_]+$"},'unique_id':{"type":"string","minLength":1},'name':{"type":["string","null"]},
 'state_class':{"enum":["measurement","measurement_angle","total","total_increasing"]},'min':{"type":"number"},'max':{"type":"number"},'step':{"type":"number","minimum":0.001},'automation_type':{"const":"trigger"},'event_types':{"type":"array","minItems":1,"items":S},'options':{"type":"array","minItems":1,"items":S},'availability':{"$ref":"#/$defs/availability"},'device':False,'origin':False}
def t(k): return typ.get(k,S)
comps=[]
for p,(keys,req) in P.items():
    o={"if":{"properties":{"platform":{"const":p}},"required":["platform"]},"then":{"properties":{k:t(k) for k in sorted(COMMON+keys.split()+['platform'])},"additionalProperties":False,
      "if":{"minProperties":2},"then":{"required":["unique_id"]+req}}}
    if p=='image': o["then"]["then"]["oneOf"]=[{"required":["url_topic"],"not":{"required":["content_type"]}},{"required":["image_topic"]}]
    if p=='sensor':
        o["then"]["allOf"]=[{"if":{"required":["options"]},"then":{"properties":{"device_class":{"const":"enum"}},"required":["device_class"],"not":{"anyOf":[{"required":["state_class"]},{"required":["unit_of_measurement"]}]}}},
         {"if":{"required":["entity_category"]},"then":{"properties":{"entity_category":{"const":"diagnostic"}}}},
         {"if":{"properties":{"device_class":{"const":"temperature"}},"required":["device_class"]},"then":{"properties":{"unit_of_measurement":{"enum":["°C","°F","K"]}}}},
         {"if":{"properties":{"device_class":{"const":"humidity"}},"required":["device_class"]},"then":{"properties":{"unit_of_measurement":{"const":"%"}}}},
         {"if":{"properties":{"device_class":{"enum":["pressure","atmospheric_pressure"]}},"required":["device_class"]},"then":{"properties":{"unit_of_measurement":{"enum":["Pa","hPa","kPa","bar","cbar","mbar","mmHg","inHg","inH₂O","psi","mPa","MPa"]}}}}]
    if p=='binary_sensor': o["then"]["allOf"]=[{"if":{"required":["entity_category"]},"then":{"properties":{"entity_category":{"const":"diagnostic"}}}},{"properties":{"device_class":{"enum":["battery","battery_charging","carbon_monoxide","cold","connectivity","door","garage_door","gas","heat","light","lock","moisture","motion","moving","occupancy","opening","plug","power","presence","problem","running","safety","smoke","sound","tamper","update","vibration","window"]}}}]
    if p in CLASSES: o["then"]["properties"]["device_class"]={"enum":CLASSES[p]}
    if p in ('number','text'): o["then"]["properties"]["mode"]={"enum":["auto","box","slider"] if p=='number' else ["text","password"]}
    # mqtt/event.py MqttEvent._event_received: what the template shows is a JSON object with event_type; it is no number and has no expire_after
    comps.append(o)
comps.append({"if":{"properties":{"platform":{"const":"device_automation"}},"required":["platform"]},"then":{"properties":{k:t(k) for k in sorted(TRIGGER)},"additionalProperties":False,
      "if":{"minProperties":2},"then":{"required":TRIGGER_REQ}}})
schema={"$schema":"https://json-schema.org/draft/2020-12/schema","$comment":"Home Assistant core 2026.9/2026.10: mqtt/schemas.py:214-227 DEVICE_DISCOVERY_SCHEMA (extra keys refuse the whole document), :123-156 device, :159-166 origin, :199-211 components; platform keys from each mqtt/<platform>.py DISCOVERY_SCHEMA, those of device_automation from mqtt/device_trigger.py TRIGGER_DISCOVERY_SCHEMA (extra keys are dropped silently there; here they are errors)",
"type":"object","required":["device","origin","components"],"additionalProperties":False,
"properties":{"device":{"$ref":"#/$defs/device"},"origin":{"type":"object","additionalProperties":False,"required":["name"],"properties":{"name":{"type":"string","minLength":1},"sw_version":S,"support_url":{"type":"string","pattern":"^https?://"}}},
 "components":{"type":"object","minProperties":1,"propertyNames":{"pattern":"^[a-zA-Z0-9_-]+$"},"additionalProperties":{"$ref":"#/$defs/component"}},
 "availability":{"$ref":"#/$defs/availability"},"availability_mode":t('availability_mode'),"availability_topic":pub,"availability_template":S,"payload_available":S,"payload_not_available":S,"state_topic":pub,"command_topic":pub,"qos":t('qos'),"encoding":S,"message_expiry_interval":{"type":"integer"}},
"$defs":{"availability":{"type":"array","minItems":1,"items":{"type":"object","additionalProperties":False,"required":["topic"],"properties":{"topic":pub,"payload_available":S,"payload_not_available":S,"value_template":S}}},
 "device":{"type":"object","additionalProperties":False,"anyOf":[{"required":["identifiers"]},{"required":["connections"]}],"properties":{**{k:S for k in "name manufacturer model model_id hw_version sw_version serial_number via_device suggested_area".split()},"identifiers":{"anyOf":[{"type":"string","minLength":1},{"type":"array","minItems":1,"items":S}]},"connections":{"type":"array","items":{"type":"array","minItems":2,"maxItems":2,"items":S}},"configuration_url":{"type":"string","pattern":"^(https?|homeassistant)://"}}},
 "component":{"type":"object","required":["platform"],"properties":{"platform":{"enum":sorted([*P,"device_automation"])}},"allOf":comps}}}
json.dump(schema,open('schema.json','w'),indent=1,ensure_ascii=False)
AB=dict(atype='automation_type',pl='payload',pl_rst='payload_reset',stype='subtype',avty='availability',avty_mode='availability_mode',avty_t='availability_topic',avty_tpl='availability_template',cmd_t='command_topic',cmd_tpl='command_template',cmps='components',cont_type='content_type',def_ent_id='default_entity_id',dev='device',dev_cla='device_class',dsp_prc='display_precision',e='encoding',en='enabled_by_default',ent_cat='entity_category',ent_pic='entity_picture',exp_aft='expire_after',frc_upd='force_update',grp='group',ic='icon',img_e='image_encoding',img_t='image_topic',json_attr_t='json_attributes_topic',json_attr_tpl='json_attributes_template',l_ver_t='latest_version_topic',l_ver_tpl='latest_version_template',lrst_val_tpl='last_reset_value_template',migr_discvry='migrate_discovery',msg_exp_int='message_expiry_interval',name='name',o='origin',off_dly='off_delay',ops='options',opt='optimistic',p='platform',pl_avail='payload_available',pl_inst='payload_install',pl_not_avail='payload_not_available',pl_off='payload_off',pl_on='payload_on',pl_prs='payload_press',ptrn='pattern',rel_s='release_summary',rel_u='release_url',ret='retain',stat_cla='state_class',stat_off='state_off',stat_on='state_on',stat_t='state_topic',sug_dsp_prc='suggested_display_precision',t='topic',tit='title',uniq_id='unique_id',unit_of_meas='unit_of_measurement',url_t='url_topic',url_tpl='url_template',val_tpl='value_template',vis='visible_by_default')
json.dump({"top":AB,"device":dict(cns='connections',cu='configuration_url',hw='hw_version',ids='identifiers',mdl='model',mdl_id='model_id',mf='manufacturer',name='name',sa='suggested_area',sn='serial_number',sw='sw_version'),"origin":dict(name='name',sw='sw_version',url='support_url')},open('abbreviations.json','w'),indent=1)
