package supervisor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"pithings/gateway"
)

// object is an object of JSON, whose values are read as far as they are needed.
type object map[string]json.RawMessage

// quoted is a text as JSON.
func quoted(text string) string {
	return string(marshal(text))
}

// marshal writes what was read before, or texts: neither can fail. Unlike json.Marshal it
// leaves <, > and & as they are.
func marshal(v any) json.RawMessage {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
	return gateway.Escaped(bytes.TrimSpace(out.Bytes()))
}

func rawText(text string) json.RawMessage { return marshal(text) }

// plain is a value as a text; a number is one, too.
func plain(raw json.RawMessage) string {
	if string(raw) == "null" {
		return ""
	}
	return gateway.Text(string(raw))
}

// unpack returns the object of columns.
func unpack(kept map[string]string) object {
	o := object{}
	if packed, ok := kept[gateway.JSONColumn]; ok && json.Unmarshal([]byte(packed), &o) == nil && o != nil {
		for name, value := range kept {
			if name != gateway.JSONColumn {
				o.put(name, value)
			}
		}
		return o
	}
	o = object{}
	for name, value := range kept {
		o.put(name, value)
	}
	return o
}

// put adds a column.
func (o object) put(name, column string) {
	if gateway.IsJSON(column) {
		o[name] = json.RawMessage(column)
	} else {
		o[name] = rawText(column)
	}
}

// disabled reports whether an object is one that Device Supervisor leaves alone.
func disabled(o object) bool {
	v := plain(o["enable"])
	return v == "0" || v == "false"
}

// number is a number, or a text with one.
func number(raw json.RawMessage) (float64, error) {
	n, err := strconv.ParseFloat(plain(raw), 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return 0, fmt.Errorf("%.100s is no number", raw)
	}
	return n, nil
}

func rawNumber(n float64) json.RawMessage {
	return json.RawMessage(strconv.FormatFloat(n, 'f', -1, 64))
}
