package homeassistant

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"pithings/conf"
)

// Setting is a setting of a thing that is a number and may be changed from afar.
type Setting struct {
	Key      string  // with dots: heater.temperature
	Value    float64 // in effect
	Unit     string
	Min, Max float64
	Step     float64
	span     bool // a time, in seconds
}

// Settings returns those among the keys of a configuration's section that are numbers between
// limits and may be changed from afar. A key with a list of values is none.
func Settings(fields []conf.Field) []Setting { return settings(fields, "") }

func settings(fields []conf.Field, before string) (all []Setting) {
	for _, f := range fields {
		if inner := f.Section(); inner != nil {
			all = append(all, settings(inner, before+f.Key+".")...)
			continue
		}
		if !f.ChangesAfar() || f.Allowed() != nil {
			continue
		}
		s := Setting{Key: before + f.Key}
		switch v := f.Value.Interface().(type) {
		case conf.Duration:
			s.Value, s.Unit, s.Step, s.span = v.Seconds(), "s", 1, true
		case int:
			s.Value, s.Step = float64(v), 1
		case float64:
			s.Value, s.Step = v, 0.1
		default:
			continue
		}
		low, err := s.parse(f.Tag.Get("min"))
		if err != nil {
			continue
		}
		high, err := s.parse(f.Tag.Get("max"))
		if err != nil || low >= high || s.Value < low || s.Value > high {
			continue // -1 for "no limit", say
		}
		if s.Min, s.Max = low, high; s.span && (low != math.Trunc(low) || high <= 60 || s.Value != math.Trunc(s.Value)) {
			s.Step = 0.001
		}
		all = append(all, s)
	}
	return all
}

// parse reads a limit of a tag.
func (s *Setting) parse(text string) (float64, error) {
	if text == "" {
		return 0, errors.New("no limit")
	}
	if !s.span {
		return strconv.ParseFloat(text, 64)
	}
	var d conf.Duration
	err := d.UnmarshalText([]byte(text))
	return d.Seconds(), err
}

// changes returns the change of the setting to a value, as a section of a configuration.
func (s *Setting) changes(value float64) map[string]any {
	var v any = value
	if s.span {
		v = strconv.FormatFloat(value, 'f', -1, 64) + "s"
	}
	path := strings.Split(s.Key, ".")
	for i := len(path) - 1; i > 0; i-- {
		v = map[string]any{path[i]: v}
	}
	return map[string]any{path[0]: v}
}

// setting is a command of Home Assistant.
type setting struct {
	Thing string   `json:"thing"`
	Key   string   `json:"key"`
	Value *float64 `json:"value"`
}

// maxCommand bounds a command, in bytes.
const maxCommand = 1024

// parseSetting reads a command. Nothing in it can be trusted; errors hold none of its bytes.
func parseSetting(payload []byte) (c setting, err error) {
	if len(payload) > maxCommand {
		return c, fmt.Errorf("it has %d bytes, and at most %d are read", len(payload), maxCommand)
	}
	if err := json.Unmarshal(payload, &c); err != nil || c.Value == nil {
		return c, errors.New(`it is not of the form {"thing":"NAME","key":"KEY","value":NUMBER}`)
	}
	return c, nil
}

// find returns the setting that a command names.
func (d *Description) find(c setting) (*Setting, error) {
	for i := range d.Things {
		if d.Things[i].Name != c.Thing {
			continue
		}
		for j := range d.Things[i].Settings {
			if s := &d.Things[i].Settings[j]; s.Key == c.Key {
				if v := *c.Value; v < s.Min || v > s.Max {
					return nil, fmt.Errorf("%s: %v is not from %v to %v", s.Key, v, s.Min, s.Max)
				}
				return s, nil
			}
		}
	}
	return nil, errors.New("there is no such thing, or no such setting that may be changed from Home Assistant")
}

// add makes the components of the settings.
func (b *builder) settings(state, set string) {
	for i := range b.Settings {
		s := &b.Settings[i]
		keys := object{"p": "number", "ent_cat": "config", "stat_t": state, "val_tpl": "{{ " + of("value_json", "settings", b.Name, s.Key) + " }}",
			"cmd_t": set, "cmd_tpl": `{"thing":` + encode(b.Name) + `,"key":` + encode(s.Key) + `,"value":{{ value }}}`,
			"min": s.Min, "max": s.Max, "step": s.Step, "mode": "box", "qos": 1}
		put(keys, "unit_of_meas", s.Unit)
		if s.span {
			keys["dev_cla"] = "duration"
		}
		b.add("set-"+strings.ReplaceAll(s.Key, ".", "-"), words(s.Key), rankSetting, keys)
	}
}
