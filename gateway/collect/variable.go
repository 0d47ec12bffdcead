package collect

import (
	"math"
	"reflect"
	"slices"

	"pithings/conf"
)

// The values of Variable.Mode.
const (
	Realtime = "realtime" // in each round of its group
	OnChange = "onchange" // in a round if it has changed
	Never    = "never"    // in no round; for alarms, expressions and recalls
)

// Variable is a value that is collected.
type Variable struct {
	Device     string            `json:"device" required:"true" change:"afar" jsonschema:"the device that has it: a name in the list devices, or a thing"`
	Name       string            `json:"name" change:"afar" jsonschema:"name of the variable, once in each device; empty: that of its quantity. Without name, value and expression: every quantity of the device"`
	Value      string            `json:"value" change:"afar" jsonschema:"what it is: a quantity of the thing, or EVENT.KEY of one of its events; empty: the quantity of its name"`
	Expression string            `json:"expression" change:"afar" jsonschema:"computes it at each poll instead, in Python; values[DEVICE][NAME] is another variable"`
	Write      string            `json:"write" change:"afar" jsonschema:"ACTION.PARAMETER of the thing that writes it; empty: the action with a parameter of its name, if there is one"`
	Group      string            `json:"group" default:"default" change:"afar" jsonschema:"the collection group in which it is handed over"`
	Mode       string            `json:"mode" default:"realtime" enum:"realtime,onchange,never" change:"afar" jsonschema:"realtime: in each round; onchange: in a round if it has changed by more than dead_zone; never: in none"`
	DeadZone   float64           `json:"dead_zone" default:"0" min:"0" max:"1e300" change:"afar" jsonschema:"with onchange: the largest change that is none, in the variable's unit"`
	Gain       float64           `json:"gain" default:"1" min:"-1e300" max:"1e300" change:"afar" jsonschema:"a number is multiplied by it"`
	Offset     float64           `json:"offset" default:"0" min:"-1e300" max:"1e300" change:"afar" jsonschema:"and this is added then"`
	Decimals   int               `json:"decimals" default:"-1" min:"-1" max:"15" change:"afar" jsonschema:"decimal places to which a number is rounded; -1: it is not"`
	Unit       string            `json:"unit" change:"afar" jsonschema:"its unit, for the configuration that scripts read; empty: that of the quantity"`
	Desc       string            `json:"desc" change:"afar" jsonschema:"what it is, for people"`
	Columns    map[string]string `json:"columns,omitempty" change:"afar" jsonschema:"what a file of Device Supervisor says beyond that; kept for its export"`
}

// The values of Group.Type.
const (
	Collect = "collect"
	Alarms  = "alarm"
)

// Group is a set of variables that are collected together, or of alarms.
type Group struct {
	Name    string            `json:"name" required:"true" change:"afar" jsonschema:"name of the group"`
	Type    string            `json:"type" default:"collect" enum:"collect,alarm" change:"afar" jsonschema:"collect: of variables; alarm: of alarms, which are judged as their values come, whatever polling and upload"`
	Polling conf.Duration     `json:"polling" default:"10s" min:"100ms" max:"24h" change:"afar" jsonschema:"how often its variables are sampled"`
	Upload  conf.Duration     `json:"upload" default:"0s" min:"0s" max:"24h" change:"afar" jsonschema:"how often they are handed to the publish rules, at a poll; 0: at each poll"`
	Columns map[string]string `json:"columns,omitempty" change:"afar" jsonschema:"what a file of Device Supervisor says beyond that; kept for its export"`
}

// scale returns a value as the variable has it.
func (v *Variable) scale(x any) any {
	n, ok := number(x)
	if _, float := x.(float64); !ok || !float && v.Gain == 1 && v.Offset == 0 {
		return x // whole numbers stay so
	}
	if v.Gain != 1 || v.Offset != 0 {
		n = float64(n*v.Gain) + v.Offset // not fused, so that all processors have the same digits
	}
	if v.Decimals >= 0 {
		p := math.Pow10(v.Decimals)
		if r := math.Round(n*p) / p; !math.IsInf(r, 0) && !math.IsNaN(r) {
			n = r
		}
	}
	return n
}

// finite reports whether JSON can hold the numbers of a value.
func finite(x any) bool {
	switch v := x.(type) {
	case float64:
		return !math.IsInf(v, 0) && !math.IsNaN(v)
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !finite(item) })
	case map[string]any:
		for _, item := range v {
			if !finite(item) {
				return false
			}
		}
	}
	return true
}

// moved reports whether a value differs from another by more than the dead zone.
func (v *Variable) moved(from, to any) bool {
	a, isNumber := number(from)
	b, areNumbers := number(to)
	if isNumber && areNumbers {
		return !(math.Abs(a-b) <= v.DeadZone)
	}
	return !reflect.DeepEqual(from, to) // objects and lists, too
}

// number returns a value as a number, if it is one.
func number(x any) (float64, bool) {
	switch n := x.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	}
	return 0, false
}
