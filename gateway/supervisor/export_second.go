package supervisor

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"pithings/conf"
	"pithings/gateway"
	"pithings/gateway/collect"
	"pithings/gateway/field"
	"pithings/gateway/rule"
)

// version is that of 2.x whose configuration is written, if no file has said another.
const version = "2.2.1"

// ExportJSON writes settings as the JSON of 2.x. notes are what it cannot hold.
func ExportJSON(s *gateway.Settings) (data []byte, notes []string, err error) {
	doc := object{}
	for section, column := range s.Columns {
		doc.put(section, column)
	}
	collects := func(name string) bool {
		return name == defaultLabel || slices.ContainsFunc(s.Groups, func(g collect.Group) bool { return g.Name == name && g.Type == collect.Collect })
	}
	lists := map[string][]object{"controllers": {}, "measures": {}, "groups": {}, "alarms": {}, "labels": {}}
	for i := range s.Devices {
		lists["controllers"] = append(lists["controllers"], given(&s.Devices[i], s.Devices[i].Columns, deviceKeys, filled[field.Device]))
	}
	for i := range s.Variables {
		v := &s.Variables[i]
		if variableName(v) == "" {
			continue
		}
		o := given(v, v.Columns, variableKeys, filled[collect.Variable])
		if v.Name == "" {
			o["name"] = rawText(v.Value)
		}
		scale(o, v)
		lists["measures"] = append(lists["measures"], o)
	}
	for i := range s.Groups {
		if g := &s.Groups[i]; g.Type == collect.Collect {
			lists["groups"] = append(lists["groups"], given(g, g.Columns, groupKeys, filled[collect.Group]))
		}
	}
	used := []string{}
	for i := range s.Alarms {
		a := &s.Alarms[i]
		o := given(a, a.Columns, alarmKeys, filled[collect.AlarmRule])
		label := plain(o["alarmLable"])
		if alarmGroup(label, collects) != a.Group {
			label = labelOf(a.Group, collects)
		}
		if label != "" {
			o["alarmLable"] = rawText(label)
		}
		used = append(used, label)
		lists["alarms"] = append(lists["alarms"], o)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Params)) {
		lists["labels"] = append(lists["labels"], object{"key": rawText(name), "value": rawText(s.Params[name])})
	}
	for name, list := range lists {
		var left []object // disabled alarms, and the labels that each gateway has of its own
		if json.Unmarshal(doc[name], &left) == nil {
			list = append(list, left...)
		}
		doc[name] = marshal(list)
	}
	if notes, err = quickfaas(s, doc, collects); err != nil {
		return nil, nil, err
	}
	alarmLabels(doc, used)
	if doc["version"] == nil {
		doc["version"] = rawText(version)
	}
	data, err = indented(doc)
	return data, slices.Concat(lost(s, secondLacks), notes, unnamed(s)), err
}

func filled[T any]() (t T) {
	conf.Fill(&t)
	return t
}

func given[T any](t *T, kept map[string]string, keys []key[T], fresh func() T) object {
	o := unpack(kept)
	give(t, o, keys, fresh)
	return o
}

// scale writes gain and offset, as they were if they are still so.
func scale(o object, v *collect.Variable) {
	on := plain(o["transformType"]) == scaled
	if !on && v.Gain == 1 && v.Offset == 0 {
		return
	}
	o["transformType"] = json.RawMessage(scaled)
	for key, n := range map[string]float64{"gain": v.Gain, "offset": v.Offset} {
		if was, err := number(o[key]); err != nil || was != n {
			o[key] = rawText(string(rawNumber(n)))
		}
	}
}

// labelOf is the label of a group of alarms.
func labelOf(group string, collects func(string) bool) string {
	if group == "alarm" {
		return defaultLabel
	}
	if label := group[min(len("alarm_"), len(group)):]; label != "" && group == "alarm_"+label && collects(label) && label != defaultLabel {
		return label
	}
	return group
}

// alarmLabels writes the list of labels, which all that alarms and rules name have to be in.
func alarmLabels(doc object, used []string) {
	var labels []string
	if json.Unmarshal(doc["alarmLables"], &labels) != nil || labels == nil { // so they spell it
		labels = []string{defaultLabel}
	}
	for _, label := range used {
		if label != "" && !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	doc["alarmLables"] = marshal(labels)
}

// quickfaas writes the rules, behind what an import has left there.
func quickfaas(s *gateway.Settings, doc object, collects func(string) bool) (notes []string, err error) {
	faas := object{}
	if raw, ok := doc["quickfaas"]; ok {
		_ = json.Unmarshal(raw, &faas) // it was an object before
	}
	if doc["quickfaas"] == nil && len(s.Publish)+len(s.Subscribe)+len(s.Functions) == 0 {
		return nil, nil
	}
	uploads, downloads, generics := []object{}, []object{}, []object{}
	for i := range s.Publish {
		for _, part := range parts(&s.Publish[i], s) {
			if part.Code, err = code(&part.Script, part.Name); err != nil {
				return nil, err
			}
			if part.Code == "" {
				notes = append(notes, fmt.Sprintf("publish rule %s has no script, which Device Supervisor needs: give it one that publishes its message", part.Name))
			}
			if part.alarms {
				for j, g := range part.Groups {
					part.Groups[j] = labelOf(g, collects)
				}
			}
			uploads = append(uploads, given(&part, part.Columns, uploadKeys, newUpload))
		}
	}
	for _, r := range s.Subscribe {
		if r.Code, err = code(&r.Script, r.Name); err != nil {
			return nil, err
		}
		downloads = append(downloads, given(&r, r.Columns, downloadKeys, newDownload))
	}
	for _, f := range s.Functions {
		if f.Code, err = code(&f.Script, f.Name); err != nil {
			return nil, err
		}
		generics = append(generics, given(&f, f.Columns, functionKeys, newFunction))
	}
	for name, list := range map[string][]object{"uploadFuncs": uploads, "downloadFuncs": downloads, "genericFuncs": generics} {
		var left []object
		if json.Unmarshal(faas[name], &left) == nil {
			list = append(list, left...)
		} else if faas[name] != nil {
			continue // it was no list, and is written as it was
		}
		faas[name] = marshal(list)
	}
	doc["quickfaas"] = marshal(faas)
	return notes, nil
}

// parts are the functions of a publish rule: one for groups of variables, and one for groups
// of alarms, which 2.x does not mix.
func parts(p *rule.Publish, s *gateway.Settings) (all []upload) {
	var of [2][]string
	for _, g := range p.Groups {
		isAlarm := slices.ContainsFunc(s.Groups, func(c collect.Group) bool { return c.Name == g && c.Type == collect.Alarms }) ||
			slices.ContainsFunc(s.Alarms, func(a collect.AlarmRule) bool { return a.Group == g })
		of[map[bool]int{true: 1}[isAlarm]] = append(of[map[bool]int{true: 1}[isAlarm]], g)
	}
	for i, groups := range of {
		if len(groups) > 0 {
			u := upload{*p, i == 1}
			u.Groups = groups
			if i == 1 && len(of[0]) > 0 {
				u.Name += "_alarm"
			}
			all = append(all, u)
		}
	}
	return all
}

// code is the text of a script; "" if there is none.
func code(s *rule.Script, name string) (string, error) {
	if s.None() {
		return "", nil
	}
	text, err := s.Text()
	if err != nil {
		return "", fmt.Errorf("rule %s: %w", name, err)
	}
	return text, nil
}
