package shadow

import (
	"encoding/json"
	"maps"
	"reflect"
)

// cloud is the shadow service for one shadow, as its documents describe it, written without
// the code of the device.
type cloud struct {
	exists            bool
	desired, reported map[string]any
	version           int64
	refuse            int              // the next request, with this code
	states            []map[string]any // what was desired: snapshots by version, deltas between them
}

type message struct {
	op      Op
	payload string
}

func newCloud() *cloud {
	return &cloud{desired: map[string]any{}, reported: map[string]any{}, states: []map[string]any{{}}}
}

// put is a document's part after a patch.
func put(part map[string]any, patch any) map[string]any {
	if patch == nil {
		return map[string]any{}
	}
	part = maps.Clone(part)
	if part == nil {
		part = map[string]any{}
	}
	for k, v := range patch.(map[string]any) {
		if inner, ok := v.(map[string]any); ok {
			before, _ := part[k].(map[string]any)
			part[k] = put(before, inner)
		} else if v == nil {
			delete(part, k)
		} else {
			part[k] = v
		}
	}
	return part
}

// unlike is what is desired and not reported.
func unlike(desired, reported map[string]any) map[string]any {
	d := map[string]any{}
	for k, v := range desired {
		inner, ok := v.(map[string]any)
		before, wasObject := reported[k].(map[string]any)
		if ok && wasObject {
			if x := unlike(inner, before); len(x) > 0 {
				d[k] = x
			}
		} else if !reflect.DeepEqual(v, reported[k]) {
			d[k] = v
		}
	}
	return d
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// serve answers a request, and what it returns is for all subscribers.
func (c *cloud) serve(r message) []message {
	var in struct {
		State       map[string]any
		Version     *int64
		ClientToken string
	}
	if err := json.Unmarshal([]byte(r.payload), &in); err != nil {
		return []message{{r.op + "/rejected", `{"code":400,"message":"Invalid JSON"}`}}
	}
	refuse := func(code int, why string) []message {
		return []message{{r.op + "/rejected", text(map[string]any{"code": code, "message": why, "clientToken": in.ClientToken})}}
	}
	switch code := c.refuse; {
	case code != 0 && r.op != "delete" && in.ClientToken != "another":
		c.refuse = 0
		return refuse(code, "not now")
	case r.op == "delete":
		if c.exists {
			c.exists, c.desired, c.reported = false, map[string]any{}, map[string]any{}
			c.step(c.desired, c.desired)
		}
		return nil
	case r.op == Get && !c.exists:
		return refuse(404, "No shadow exists with name: 'x'")
	case r.op == Get:
		return []message{{GetAccepted, text(map[string]any{
			"state":   map[string]any{"desired": c.desired, "reported": c.reported, "delta": unlike(c.desired, c.reported)},
			"version": c.version, "timestamp": 1, "clientToken": in.ClientToken, "metadata": map[string]any{"desired": 1},
		})}}
	case in.Version != nil && *in.Version != c.version:
		return refuse(409, "Version conflict")
	}
	c.exists = true
	before := c.desired
	for part, p := range map[string]*map[string]any{"desired": &c.desired, "reported": &c.reported} {
		if patch, ok := in.State[part]; ok {
			*p = put(*p, patch)
		}
	}
	if len(text(c.desired))+len(text(c.reported)) > MaxDocument {
		panic("the document is too large")
	}
	delta := unlike(c.desired, c.reported)
	c.step(put(before, delta), c.desired)
	out := []message{{UpdateAccepted, text(map[string]any{"state": in.State, "version": c.version, "timestamp": 1, "clientToken": in.ClientToken})}}
	if len(delta) > 0 {
		out = append(out, message{UpdateDelta, text(map[string]any{"state": delta, "version": c.version, "timestamp": 1, "metadata": 1})})
	}
	return out
}

func (c *cloud) step(early, desired map[string]any) {
	c.version++
	c.states = append(c.states, early, desired)
}
