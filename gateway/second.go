package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"pithings/gateway/collect"
	"pithings/gateway/field"
)

// second is the configuration as quickfaas.config.get of 2.x has it: the JSON that an export
// writes, but of the variables and groups that are at work, and with all sections. The clouds
// of an imported file, which have passwords and keys, are not in it.
func second(o *Options, f *field.Field) (any, error) {
	s := *o.Settings
	samples := f.Variables()
	s.Variables, s.Devices, s.Groups = nil, nil, s.groups()
	for i := range samples {
		s.Variables = append(s.Variables, *samples[i].Variable)
	}
	for _, name := range deviceNames(o.Settings, samples) {
		s.Devices = append(s.Devices, deviceOf(o.Settings, name))
	}
	written, err := o.Second(&s)
	if err != nil {
		return nil, fmt.Errorf("the configuration has no form of Device Supervisor: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(written))
	d.UseNumber()
	doc := map[string]any{}
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	for i, m := range objects(doc["measures"]) {
		if i < len(samples) {
			complete(m, &samples[i], f)
		}
	}
	for _, c := range objects(doc["controllers"]) {
		add(c, map[string]any{"args": map[string]any{}, "endpoint": ""})
	}
	add(doc, map[string]any{"misc": map[string]any{}, "alarms": []any{}, "alarmLables": []any{}, "quickfaas": map[string]any{}})
	if misc, ok := doc["misc"].(map[string]any); ok {
		add(misc, map[string]any{"logLvl": strings.ToUpper(o.Params.LogLevel), "maxAlarmRecordSz": o.Params.Alarms, "coms": []any{}})
	}
	if faas, ok := doc["quickfaas"].(map[string]any); ok {
		add(faas, map[string]any{"uploadFuncs": []any{}, "downloadFuncs": []any{}, "genericFuncs": []any{}})
	}
	doc["clouds"] = []any{map[string]any{"name": "default", "enable": 1, "type": "Standard MQTT", "cacheSize": o.Params.Readings, "args": map[string]any{}}}
	doc["labels"] = labels(o, doc["labels"])
	return doc, nil
}

// labels are the global parameters: what the gateway knows of itself, and those of a document.
func labels(o *Options, of any) []any {
	all := []any{map[string]any{"key": "SN", "value": o.Params.Serial}, map[string]any{"key": "MAC", "value": o.Params.MAC}}
	for _, one := range objects(of) {
		if one["key"] != "SN" && one["key"] != "MAC" {
			all = append(all, one)
		}
	}
	return all
}

// complete adds what a script expects of a measure, unless an imported file says it.
func complete(m map[string]any, v *collect.Sample, f *field.Field) {
	address, access, transform := v.Variable.Value, "ro", 0
	if address == "" {
		address = v.Name
	}
	if f.Writable(v.Variable) {
		access = "rw"
	}
	if v.Gain != 1 || v.Offset != 0 {
		transform = 2
	}
	add(m, map[string]any{"dataType": dataType(v.Value), "addr": address, "readWrite": access, "transformType": transform,
		"gain": strconv.FormatFloat(v.Gain, 'f', -1, 64), "offset": strconv.FormatFloat(v.Offset, 'f', -1, 64)})
}

// add adds the keys that an object does not have.
func add(o, more map[string]any) {
	for key, v := range more {
		if _, there := o[key]; !there {
			o[key] = v
		}
	}
}

// objects are the items of a list that are objects.
func objects(v any) (all []map[string]any) {
	list, _ := v.([]any)
	for _, item := range list {
		if o, ok := item.(map[string]any); ok {
			all = append(all, o)
		}
	}
	return all
}
