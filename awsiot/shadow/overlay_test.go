package shadow

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pithings/awsiot/internal/jsonvalue"
	"pithings/conf"
)

// settings are those of an agent: key and from where it may be changed; a number is at most 60.
type settings map[string]conf.Change

func (s settings) Key(key string) (conf.Change, bool) { c, ok := s[key]; return c, ok }

func (s settings) Group(key string) bool {
	for k := range s {
		if strings.HasPrefix(k, key+".") {
			return true
		}
	}
	return false
}

func (s settings) Check(key string, v any) error {
	if n, ok := v.(json.Number); ok && len(n) > 1 && n > "60" {
		return errors.New("at most 60 s")
	}
	return nil
}

func TestLay(t *testing.T) {
	keys := settings{"camera.interval": conf.Afar, "camera.device": conf.Local, "debug": conf.Afar, "labels": conf.Afar}
	for _, c := range []struct{ name, saved, desired, overlay, rejected string }{
		{"taken", `{}`, `{"camera":{"interval":5},"debug":1}`, `{"camera":{"interval":5},"debug":1}`, `{}`},
		{"null returns to the file", `{"camera":{"interval":5},"debug":1}`, `{"debug":1}`, `{"debug":1}`, `{}`},
		{"local", `{}`, `{"camera":{"device":"/dev/video1","interval":7}}`, `{"camera":{"interval":7}}`, `{"camera.device":"it can be changed on the machine only"}`},
		{"invalid: the old value stays", `{"camera":{"interval":5}}`, `{"camera":{"interval":99}}`, `{"camera":{"interval":5}}`, `{"camera.interval":"at most 60 s"}`},
		{"unknown", `{}`, `{"colour":1,"camera":{"zoom":{"x":1}}}`, `{}`, `{"camera.zoom":"there is no setting of this name","colour":"there is no setting of this name"}`},
		{"a group", `{"camera":{"interval":5}}`, `{"camera":9}`, `{"camera":{"interval":5}}`, `{"camera":"it is a group of settings: give an object, and not 9"}`},
		{"another spelling", `{}`, `{"camera.device":"x"}`, `{}`, `{"camera.device":"there is no setting of this name"}`},
		{"objects as values", `{}`, `{"labels":{"1":"a"}}`, `{"labels":{"1":"a"}}`, `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			saved := object(t, c.saved)
			overlay, rejected := Lay(keys, saved, object(t, c.desired))
			if string(jsonvalue.Encode(overlay)) != c.overlay || string(jsonvalue.Encode(rejected)) != c.rejected || string(jsonvalue.Encode(saved)) != c.saved {
				t.Errorf("overlay %s, rejected %s, saved %s", jsonvalue.Encode(overlay), jsonvalue.Encode(rejected), jsonvalue.Encode(saved))
			}
		})
	}
}
