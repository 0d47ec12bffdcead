package supervisor

import (
	"encoding/json"
	"slices"

	"pithings/gateway/collect"
)

// second reads the JSON of 2.x.
func (im *importer) second(r root) {
	im.coms(r.rest["misc"])
	take := func(list string) []item {
		items := r.lists[list]
		delete(r.lists, list)
		return items
	}
	for _, it := range take("controllers") {
		im.controller(it)
	}
	for _, it := range take("groups") {
		im.group(it)
	}
	for _, it := range take("measures") {
		name := plain(it.object["name"])
		if err := im.measure(it); err != nil {
			im.add(it.at, "measure %s: %w", name, err)
		}
	}
	collects := func(name string) bool {
		return name == defaultLabel || slices.ContainsFunc(im.s.Groups, func(g collect.Group) bool { return g.Name == name && g.Type == collect.Collect })
	}
	left := []object{}
	for _, it := range take("alarms") {
		if disabled(it.object) {
			im.note(it.at, "alarm %s is disabled: it is kept for an export, and no alarm here", plain(it.object["name"]))
			left = append(left, it.object)
		} else if err := im.alarm(it, collects); err != nil {
			im.add(it.at, "%w", err)
		}
	}
	if len(left) > 0 {
		r.rest["alarms"] = marshal(left)
	}
	im.labels(&r)
	im.quickfaas(&r, collects)
	im.clouds(r.lists["clouds"])
	im.others(&r)
	im.keep(r)
}

// others notes what Device Supervisor does with the rest, and the gateway does not.
func (im *importer) others(r *root) {
	for _, name := range slices.Sorted(slices.Values(r.order)) {
		var o object
		if json.Unmarshal(r.rest[name], &o) == nil && plain(o["enable"]) == "1" {
			im.note(r.at[name], "it is kept for an export, and not supported: nothing here does what it does")
		}
	}
	var misc struct {
		Alarms int `json:"maxAlarmRecordSz"`
		Cache  int `json:"cacheSize"`
	}
	_ = json.Unmarshal(r.rest["misc"], &misc) // whatever else it has is kept
	if misc.Alarms != 0 && misc.Alarms != 2000 {
		im.note(r.at["misc"].key("maxAlarmRecordSz"), "it is %d; set mqtt: {queue: {alarms: {max: %[1]d}}} if as many alarms are to wait for the connection", misc.Alarms)
	}
	if misc.Cache != 0 && misc.Cache != 10_000 {
		im.note(r.at["misc"].key("cacheSize"), "it is %d; set mqtt: {queue: {max: %[1]d}} if as many messages are to wait for the connection (100000 without it)", misc.Cache)
	}
}
